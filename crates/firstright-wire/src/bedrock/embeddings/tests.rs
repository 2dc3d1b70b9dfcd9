use super::Family::{self, *};
use crate::openai::embeddings::Form;
use crate::openai::response;
use crate::operation::Operation::Embeddings;
use crate::usage::Reading;

#[test]
fn the_models_id_tells_the_family() {
    for (name, family) in [
        ("amazon.titan-embed-text-v2:0", Titan { sized: true }),
        ("amazon.titan-embed-text-v1", Titan { sized: false }),
        ("amazon.titan-embed-g1-text-02", Titan { sized: false }),
        ("cohere.embed-multilingual-v3", Cohere { sized: false }),
        ("cohere.embed-v4:0", Cohere { sized: true }),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.cohere.embed-v4:0", Cohere { sized: true }),
    ] {
        assert_eq!(Family::of(name), Ok(family), "{name}");
        assert!(family.path(name).unwrap().ends_with("/invoke"));
    }
    for name in [
        "amazon.titan-embed-image-v1",
        "amazon.nova-2-multimodal-embeddings-v1:0",
        "anthropic.claude-sonnet-4-6",
    ] {
        assert_eq!(Family::of(name).unwrap_err().code, "operation_not_spoken", "{name}");
    }
}

#[test]
fn what_a_model_does_not_make_is_refused_by_its_name() {
    let (v1, v2) = (Titan { sized: false }, Titan { sized: true });
    let (v3, v4) = (Cohere { sized: false }, Cohere { sized: true });
    for (family, body, param) in [
        (v2, r#"{"input":["a","b"]}"#, "input"),
        (v2, r#"{"input":[1,2]}"#, "input"),
        (v1, r#"{"input":"a","dimensions":256}"#, "dimensions"),
        (v2, r#"{"input":"a","dimensions":300}"#, "dimensions"),
        (v2, r#"{"input":"a","input_type":"search_query"}"#, "input_type"),
        (v3, r#"{"input":"a","dimensions":256}"#, "dimensions"),
        (v4, r#"{"input":"a","input_type":"anything"}"#, "input_type"),
    ] {
        assert_eq!(family.request(body.as_bytes()).unwrap_err().param, Some(param), "{family:?} {body}");
    }
    let many = |texts: usize| format!(r#"{{"input":["a"{}]}}"#, r#","a""#.repeat(texts - 1));
    assert!(v4.request(many(96).as_bytes()).is_ok());
    assert_eq!(v4.request(many(97).as_bytes()).unwrap_err().param, Some("input"));
}

#[test]
fn the_header_tells_what_the_body_does_not() {
    let form = Form { texts: 1, base64: false };
    let used = |family: Family, body: &str, header| {
        let answer = family.response(body.as_bytes(), "m", form, header).unwrap();
        response::read(Embeddings, &answer).unwrap().usage
    };
    let input = |reading: Reading| reading.sound().map(|usage| usage.input);
    let titan = Titan { sized: true };
    assert_eq!(input(used(titan, r#"{"embedding":[1],"inputTextTokenCount":5}"#, Some(9))), Some(5));
    assert_eq!(input(used(titan, r#"{"embedding":[1]}"#, Some(9))), Some(9));
    assert_eq!(used(titan, r#"{"embedding":[1]}"#, None), Reading::Absent);
    assert!(matches!(
        used(titan, r#"{"embedding":[1],"inputTextTokenCount":-5}"#, Some(9)),
        Reading::Hostile(_)
    ));
    assert_eq!(input(used(Cohere { sized: true }, r#"{"embeddings":[[1]]}"#, Some(4))), Some(4));
}
