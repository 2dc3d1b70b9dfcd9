use super::*;

#[test]
fn a_name_stays_one_segment() {
    let cases = [
        ("anthropic.claude-sonnet-4-6", false, "/model/anthropic.claude-sonnet-4-6/converse"),
        ("us.amazon.nova-lite-v1:0", true, "/model/us.amazon.nova-lite-v1%3A0/converse-stream"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:provisioned-model/abc123",
            false,
            "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aprovisioned-model%2Fabc123/converse",
        ),
        ("../../admin?x=%2f#", false, "/model/..%2F..%2Fadmin%3Fx%3D%252f%23/converse"),
    ];
    for (name, stream, expected) in cases {
        assert_eq!(path(name, stream).unwrap(), expected);
    }
    let long = "a".repeat(MAX_MODEL_BYTES + 1);
    for name in ["", "a b", "a\nb", "größe", &long] {
        assert_eq!(path(name, false), Err(BadName::Model(name.to_owned())));
    }
}

#[test]
fn an_embeddings_input_is_told_by_a_header() {
    assert_eq!(input_tokens(b" 12 "), Some(12));
    for wrong in [&b""[..], b"-1", b"1.5", b"x", b"99999999999999999999", b"100000001"] {
        assert_eq!(input_tokens(wrong), None, "{wrong:?}");
    }
}

#[test]
fn the_bases_of_openais_dialect_are_named() {
    assert_eq!(openai_base("eu-west-1"), "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1");
    assert_eq!(mantle_base("us-east-1"), "https://bedrock-mantle.us-east-1.api.aws/v1");
}
