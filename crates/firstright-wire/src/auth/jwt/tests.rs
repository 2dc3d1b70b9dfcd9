use super::*;

#[test]
fn the_parts_in_order() {
    let said = google("a@b", "k1", "https://s", "https://t", 1_000);
    let header = for_urls(br#"{"alg":"RS256","kid":"k1","typ":"JWT"}"#);
    let claims = for_urls(br#"{"aud":"https://t","exp":1600,"iat":1000,"iss":"a@b","scope":"https://s"}"#);
    assert_eq!(said, format!("{header}.{claims}"));
    assert_eq!(assemble(&said, &[1, 2, 3]), format!("{header}.{claims}.AQID"));
}

#[test]
fn quotes_in_a_name_stay_within_it() {
    let said = entra("a\",\"sub\":\"b", &[0; 32], "https://t", "id", 0);
    let claims = said.split('.').nth(1).unwrap();
    assert!(claims.starts_with(&for_urls(br#"{"aud":"https://t","exp":600,"iat":0,"iss":"a\",\"sub"#)[..40]));
}
