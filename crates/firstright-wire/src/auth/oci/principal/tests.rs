use super::*;

/// A JWT with these claims, and no signature.
fn jwt(claims: &str) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", base64::for_urls(claims.as_bytes()))
}

/// A value of DER: the tag of a printable string, its length, its bytes; then the tag of the set that follows, which is `1`.
fn der(value: &str) -> Vec<u8> {
    let mut bytes = vec![0x30, 0x81, 0x13];
    bytes.push(value.len() as u8);
    bytes.extend_from_slice(value.as_bytes());
    bytes.extend_from_slice(b"1a0");
    bytes
}

#[test]
fn the_tenancy_stands_in_the_subject_by_its_own_length() {
    for prefix in ["opc-tenant:", "opc-identity:"] {
        let certificate = der(&format!("{prefix}ocid1.tenancy.oc1..aaaa"));
        assert_eq!(tenancy(&certificate).as_deref(), Some("ocid1.tenancy.oc1..aaaa"));
    }
    for wrong in
        ["opc-tenant:", "opc-tenant:ocid1.user.oc1..a", "opc-tenant:ocid1.tenancy.oc1..a b", "tenant"]
    {
        assert_eq!(tenancy(&der(wrong)), None, "{wrong}");
    }
    // Cut off, without a length, and with one that is longer than there is.
    let whole = der("opc-tenant:ocid1.tenancy.oc1..aaaa");
    assert_eq!(tenancy(&whole[..20]), None);
    assert_eq!(tenancy(&whole[4..]), None);
    assert_eq!(tenancy(b""), None);
}

#[test]
fn each_part_is_asked_for_in_its_own_words() {
    let ask = metadata(Part::Intermediate);
    assert_eq!((ask.method, ask.target.as_str()), ("GET", "/opc/v2/identity/intermediate.pem"));
    assert_eq!(ask.headers, [("authorization", "Bearer Oracle".to_owned())]);
    let ask = federation("", b"\x01", &[b"\x02".to_vec()], b"\x03");
    assert_eq!((ask.method, ask.target.as_str()), ("POST", "/v1/x509"));
    assert_eq!(
        ask.body,
        r#"{"certificate":"AQ==","publicKey":"Aw==","intermediateCertificates":["Ag=="],"purpose":"DEFAULT"}"#
    );
    assert_eq!(federated_key_id("ocid1.tenancy.oc1..a", &[0, 0xab]), "ocid1.tenancy.oc1..a/fed-x509/00:ab");
}

#[test]
fn a_token_tells_its_own_end() {
    let token = jwt(r#"{"exp":1000,"sub":"ocid1.instance"}"#);
    let found = session(&token, 100).unwrap();
    assert_eq!((found.lifetime_s, found.key_id), (900, format!("ST${token}")));
    assert_eq!(session(&token, 2_000).unwrap().lifetime_s, 0);
    for wrong in [
        "",
        "a",
        "a.b",
        "a.!.c",
        &jwt("{}"),
        &jwt(r#"{"exp":-1}"#),
        &format!("{token}\n"),
        &format!("{token}\""),
    ] {
        assert_eq!(session(wrong, 0), None, "{wrong:?}");
    }
    let body = |token: &str| format!(r#"{{"token":"{token}"}}"#);
    assert_eq!(answer(200, body(&token).as_bytes(), 400).unwrap().lifetime_s, 600);
    assert!(!format!("{:?}", answer(200, body(&token).as_bytes(), 400)).contains("eyJ"));
    let told = |status, body: &str| answer(status, body.as_bytes(), 1_000).unwrap_err().to_string();
    assert_eq!(told(200, &body(&token)), "status 200, `expired`");
    assert_eq!(told(200, "{}"), "status 200");
    assert_eq!(
        told(401, r#"{"code":"NotAuthenticated","message":"canary"}"#),
        "status 401, `NotAuthenticated`"
    );
}
