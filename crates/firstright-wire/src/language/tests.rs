use super::*;

const BODY: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

/// Each language, a model of it, and what only its own request has.
fn languages() -> [(Language, &'static str, &'static str); 4] {
    let oci = Language::Oci {
        compartment: "ocid1.compartment.oc1..aaaa".to_owned(),
        format: ApiFormat::of("meta.llama-3.3-70b-instruct"),
    };
    [
        (Language::Anthropic, "claude-sonnet-4-6", "max_tokens"),
        (Language::Bedrock, "anthropic.claude-sonnet-4-6", "inferenceConfig"),
        (Language::Gemini, "gemini-2.5-flash", "generationConfig"),
        (oci, "meta.llama-3.3-70b-instruct", "compartmentId"),
    ]
}

#[test]
fn each_language_is_spoken_by_its_own_module() {
    for (language, model, own) in languages() {
        let sent = language.request(BODY, model, 77).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
        assert!(!sent[own].is_null() && sent.to_string().contains("77"), "{language:?}: {sent}");
        assert!(language.path(model, true).unwrap().starts_with('/'));
        assert!(language.response(b"{", "m").is_err(), "{language:?}");
        assert_eq!(language.refusal(429, b"").0, Refusal::Throttled, "{language:?}");
        let (mut stream, mut out) = (language.stream("m"), Vec::new());
        stream.push(b"", &mut out).unwrap();
        assert!(!stream.finish(&mut out) && out.is_empty(), "{language:?} ends before it began");
        assert_eq!(language.stream_type() == bedrock::STREAM_TYPE, language == Language::Bedrock);
    }
}

#[test]
fn two_languages_embed_texts_and_the_others_say_that_they_do_not() {
    let [(anthropic, ..), (bedrock, ..), (gemini, ..), (oci, ..)] = languages();
    for language in [anthropic, oci] {
        assert_eq!(language.embedding("", "m").unwrap_err(), not_spoken());
    }
    let said = bedrock.embedding("", "cohere.embed-v4:0").unwrap();
    assert_eq!(said.path("cohere.embed-v4:0").unwrap(), "/model/cohere.embed-v4%3A0/invoke");
    let said = gemini.embedding("/v1beta", "gemini-embedding-001").unwrap();
    assert_eq!(said.path("gemini-embedding-001").unwrap(), "/models/gemini-embedding-001:batchEmbedContents");
}
