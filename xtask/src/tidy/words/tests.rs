use super::*;

fn reasons(path: &str, text: &str) -> Vec<String> {
    check(&Tree::of(&[(path, text)])).iter().map(ToString::to_string).collect()
}

#[test]
fn the_words_of_the_trade_pass() {
    let text = "ChatGPT runs at OpenAI and Anthropic; models are `claude-*`.\nsee src/work/mod.rs and https://x.example/home/\n";
    assert_eq!(reasons("README.md", text), [""; 0]);
    assert_eq!(reasons("crates/a/src/b.rs", "let key = \"sk-test\"; // AKIAIOSFODNN7EXAMPLE\n"), [""; 0]);
    assert_eq!(reasons("Cargo.lock", &["crates", ".io"].concat()), [""; 0]);
}

#[test]
fn paths_and_registries_fail_with_their_line() {
    for word in [["`/wo", "rk/x`"], ["see /ho", "me/me/x"], ["index.Crates", ".IO"], ["by Claude", " Code"]] {
        let found = reasons("docs/a.md", &format!("# A\n{}\n", word.concat()));
        assert_eq!(found.len(), 1, "{word:?}: {found:?}");
        assert!(found[0].starts_with("docs/a.md:2: "), "{found:?}");
    }
}

#[test]
fn what_looks_like_a_key_fails() {
    let key = format!("key = \"sk-{}\"", "a1".repeat(16));
    assert!(reasons("a.toml", &key)[0].contains("an API key"));
    assert!(reasons("a.toml", &["AKIA", "0123456789ABCDEF"].concat())[0].contains("an access key"));
    let pem = ["-----BEGIN RSA", " PRIVATE KEY-----"].concat();
    assert!(reasons("a.pem", &pem)[0].contains("a private key"));
    assert_eq!(reasons("crates/g/tests/it/tls/key.pem", &pem), [""; 0]);
}
