use super::*;

#[test]
fn forms_are_written_as_the_services_read_them() {
    let ask = entra("/t/oauth2/v2.0/token", "app", "https://x/.default", Proof::Secret("a&b=c d+é"));
    assert_eq!((ask.method, ask.target.as_str()), ("POST", "/t/oauth2/v2.0/token"));
    assert_eq!(
        ask.body,
        "grant_type=client_credentials&client_id=app&scope=https%3A%2F%2Fx%2F.default&\
         client_secret=a%26b%3Dc%20d%2B%C3%A9"
    );
    assert!(ask.headers.contains(&("content-type", "application/x-www-form-urlencoded".to_owned())));
    let ask = entra("/t", "app", "s", Proof::Assertion("a.b.c"));
    assert!(ask.body.ends_with(
        "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=a.b.c"
    ));
    assert_eq!(
        google("/token", "a.b.c").body,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c"
    );
}

#[test]
fn metadata_services_are_asked_with_their_header() {
    let ask = azure_metadata("https://cognitiveservices.azure.com", Some("id 1"));
    assert_eq!(
        ask.target,
        "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fcognitiveservices.azure.com\
         &client_id=id%201"
    );
    assert_eq!(ask.headers, [("metadata", "true".to_owned())]);
    let ask = azure_app_service("/msi/token", "secret", "r", None);
    assert_eq!(ask.target, "/msi/token?api-version=2019-08-01&resource=r");
    assert_eq!(ask.headers, [("x-identity-header", "secret".to_owned())]);
    let ask = google_metadata("a@b/../c");
    assert_eq!(ask.target, "/computeMetadata/v1/instance/service-accounts/a%40b%2F..%2Fc/token");
    assert_eq!(ask.headers, [("metadata-flavor", "Google".to_owned())]);
}

#[test]
fn answers_of_every_service() {
    let table = [
        // Entra and Google.
        (r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"t"}"#, 3_599),
        // An Azure machine.
        (r#"{"access_token":"t","expires_in":"86399","expires_on":"1600","token_type":"Bearer"}"#, 86_399),
        // App Service.
        (r#"{"access_token":"t","expires_on":"1600","resource":"r","token_type":"Bearer"}"#, 600),
        (r#"{"access_token":"t","expires_on":900}"#, 0),
        // Nothing said, and more said than can be.
        (r#"{"access_token":"t"}"#, ASSUMED_LIFETIME_S),
        (r#"{"access_token":"t","expires_in":18446744073709551615}"#, MAX_LIFETIME_S),
    ];
    for (body, lifetime_s) in table {
        assert_eq!(
            answer(200, body.as_bytes(), 1_000).unwrap(),
            Token { access_token: "t".into(), lifetime_s }
        );
    }
}

#[test]
fn refusals_tell_codes_and_repeat_no_prose() {
    let body =
        br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret canary."}"#;
    let refused = answer(401, body, 0).unwrap_err();
    assert_eq!(refused.to_string(), "status 401, `invalid_client`, `AADSTS7000215`");
    let refused = answer(400, br#"{"error":"you sent canary, didn't you","error_description":"canary"}"#, 0);
    assert_eq!(refused.unwrap_err(), Refused { status: 400, error: None, entra_code: None });
    for body in [
        &b""[..],
        b"<html>",
        b"{}",
        b"[]",
        br#"{"access_token":""}"#,
        br#"{"access_token":"a b"}"#,
        br#"{"access_token":"a\r\nx: y"}"#,
        br#"{"access_token":7}"#,
    ] {
        assert_eq!(answer(200, body, 0).unwrap_err().status, 200);
    }
    // A redirect is none of ours to follow.
    assert!(answer(302, b"", 0).is_err());
}

#[test]
fn neither_shows_its_secret() {
    let ask = azure_app_service("/msi", "canary", "r", None);
    let token = answer(200, br#"{"access_token":"canary"}"#, 0).unwrap();
    let ask_with_form = entra("/t", "app", "s", Proof::Secret("canary"));
    assert!(!format!("{ask:?}{token:?}{ask_with_form:?}").contains("canary"));
}
