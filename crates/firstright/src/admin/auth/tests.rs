use super::*;

fn shown(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.parse().unwrap());
    headers
}

#[test]
fn only_the_token_is_let_in() {
    let token = Token::new("0123456789abcdef").unwrap();
    let access = Access::new(&token);
    assert!(access.allows(&shown("Bearer 0123456789abcdef")));
    for wrong in [
        "Bearer 0123456789abcdeF",
        "Bearer ",
        "0123456789abcdef",
        "bearer 0123456789abcdef",
        "Bearer  0123456789abcdef",
    ] {
        assert!(!access.allows(&shown(wrong)), "{wrong}");
    }
    assert!(!access.allows(&HeaderMap::new()));
}

#[test]
fn a_token_is_long_and_never_printed() {
    assert!(
        Token::new("short").is_none()
            && Token::new("with a space in it").is_none()
            && Token::new("with-a-\"quote\"-in-it").is_none()
    );
    let token = Token::random().unwrap();
    assert_eq!(token.reveal().len(), 64);
    assert_ne!(token, Token::random().unwrap());
    assert!(!format!("{token:?}").contains(token.reveal()));
}
