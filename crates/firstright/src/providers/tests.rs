use super::*;

#[test]
fn what_is_asked_follows_from_the_name() {
    let table = [
        ("gpt-4o", "gpt-4o", Some(Ask::Chat)),
        ("prod-1", "text-embedding-3-large", Some(Ask::Embeddings)),
        ("cohere.embed-v4.0", "embed", Some(Ask::Embeddings)),
        ("prod-2", "gpt-image-1", None),
        ("Whisper", "speech", None),
        ("files", "store", None),
    ];
    for (name, model, ask) in table {
        assert_eq!(ask_of(name, model), ask, "{name} {model}");
    }
}
