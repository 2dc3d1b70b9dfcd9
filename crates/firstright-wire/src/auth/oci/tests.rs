use super::*;

/// Oracle's published test values, both of them. That their signatures hold for these texts is checked where RSA is.
#[test]
fn the_published_signing_strings() {
    let date = "Thu, 05 Jan 2014 21:31:40 GMT";
    let host = "iaas.us-phoenix-1.oraclecloud.com";
    let target = "/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1&displayName=TeamXInstances";
    let get = Request { method: "GET", target, host, date, body: None };
    assert_eq!(signing_string(&get), format!("date: {date}\n(request-target): get {target}\nhost: {host}"));
    let sha256 = "V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0=";
    let body = Some(Body { length: 316, content_type: "application/json", sha256 });
    let post = Request { method: "POST", target: "/20160918/volumeAttachments", host, date, body };
    assert_eq!(
        signing_string(&post),
        format!(
            "date: {date}\n(request-target): post /20160918/volumeAttachments\nhost: {host}\ncontent-length: 316\n\
             content-type: application/json\nx-content-sha256: {sha256}"
        )
    );
}

#[test]
fn the_header_names_key_and_headers() {
    assert_eq!(
        authorization(&key_id("ten", "use", "20:3b"), false, "c2ln"),
        r#"Signature version="1",headers="date (request-target) host",keyId="ten/use/20:3b",algorithm="rsa-sha256",signature="c2ln""#
    );
    assert!(authorization("k", true, "s").contains(" content-length content-type x-content-sha256\""));
    assert!(signs_body("POST") && !signs_body("GET") && !signs_body("DELETE"));
}
