use super::*;

#[test]
fn a_name_stays_one_segment() {
    let cases = [
        ("gemini-2.5-flash", false, "/models/gemini-2.5-flash:generateContent"),
        ("gemini-3-pro", true, "/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ("models/gemini-3-pro", false, "/models/gemini-3-pro:generateContent"),
        ("tunedModels/abc", true, "/tunedModels/abc:streamGenerateContent?alt=sse"),
        ("../../x:predict", false, "/models/..%2F..%2Fx%3Apredict:generateContent"),
    ];
    for (name, stream, expected) in cases {
        assert_eq!(path(name, stream).unwrap(), expected);
    }
    for name in ["", "a b", "größe", &"a".repeat(MAX_MODEL_BYTES + 1)] {
        assert_eq!(path(name, false), Err(BadName::Model(name.to_owned())));
    }
}

#[test]
fn the_base_of_openais_dialect_is_named() {
    let base = "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/endpoints/openapi";
    assert_eq!(openai_base("p", "europe-west4"), base);
    assert_eq!(
        openai_base("p", "global"),
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi"
    );
}
