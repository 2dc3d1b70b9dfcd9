use super::*;
use crate::upstream::Target;

/// Made for tests: `openssl req -x509 -newkey rsa:2048 -nodes`.
const KEY: &str = include_str!("../../../tests/it/tls/rsa.key.pem");
const CERTIFICATE: &str = include_str!("../../../tests/it/tls/rsa.cert.pem");

fn head(method: &str, host: &str, target: &str) -> RequestHead {
    RequestHead::new(method, &Target::tls(host, 443, crate::upstream::Trust::Platform).unwrap(), target)
        .unwrap()
}

/// Signed by `printf … | openssl dgst -sha256 -sign rsa.key.pem | base64`.
#[test]
fn rsa_signs_as_openssl_does() {
    let signed = SigningKey::from_pem(KEY).unwrap().sign(b"a text to be signed").unwrap();
    let wanted = "Mw5NNIJeGWlSlnZ4ncwnbYJXaT+GG/WTuqFqXveurwhK16JBLG19j4ZtwE15SpZjuqM23Z0AKJw0WLECAnMhVoxhU9IUUdm\
                  KNbTE/AmTKH+sIpLok0Fa0DFjq1ID59Vg/ZSXG62AY/3Qo0vVtPbV9pvO9bqEY6z51XUOxwNPt4vNjoVFpFDs+Zehn+CfMj\
                  /UhitYWNMBi14PG5Vpde7mwsG1g3oJiFE/ihzvxeVOai84X+AR8cAftknD7XQyUQ2FqD6Jw0U/xg5lsrh+/y/AyB09xDPaI\
                  31blxkDwNs/GQkLJ9mYtN9ip5jXgw5O6ZepUgNGU9dweIUKJSH7UYLNJg==";
    assert_eq!(base64::standard(&signed), wanted);
}

/// By `openssl x509 -outform DER | sha256sum`.
#[test]
fn a_certificate_is_known_by_its_digest() {
    let wanted = "aa7f06d65b5bfb12f30d546eafce5ab137c40603dfe1e741904df5bff91c7df1";
    assert_eq!(hex(&thumbprint(CERTIFICATE).unwrap()), wanted);
    assert_eq!(thumbprint(KEY), Err(BadKey::NoCertificate));
}

#[test]
fn what_is_no_rsa_key_is_told_and_not_repeated() {
    let encrypted = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let ec = format!(
        "-----BEGIN {0} KEY-----\n{1}\n-----END {0} KEY-----\n",
        "PRIVATE",
        base64::standard(include_bytes!("../../../tests/it/tls/localhost.key.der"))
    );
    let table = [
        ("", BadKey::NoKey),
        ("canary", BadKey::NoKey),
        (CERTIFICATE, BadKey::NoKey),
        (&encrypted, BadKey::Encrypted),
        (&ec, BadKey::NotRsa),
    ];
    for (pem, bad) in table {
        assert_eq!(SigningKey::from_pem(pem).unwrap_err(), bad);
    }
    assert_eq!(format!("{:?}", SigningKey::from_pem(KEY).unwrap()), "SigningKey(…)");
}

/// AWS's published test suite for Signature Version 4: `get-vanilla`, `get-vanilla-query-order-key-case`, `post-vanilla`,
/// `post-x-www-form-urlencoded`, `post-sts-header-before`.
#[test]
fn the_signatures_of_aws_published_suite() {
    const SUITE_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwt\
         hAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVX\
         AkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
    let form = Some("application/x-www-form-urlencoded");
    let table = [
        ("GET", "/", None, "", None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            None,
            "",
            None,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "/", None, "", None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "POST",
            "/",
            form,
            "Param1=value1",
            None,
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "POST",
            "/",
            None,
            "",
            Some(SUITE_TOKEN),
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ];
    for (method, target, content_type, body, token, signature) in table {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let key = AwsKey::new("AKIDEXAMPLE", secret, token.map(Secret::new), "us-east-1", "service");
        let mut head = head(method, "example.amazonaws.com", target);
        if let Some(content_type) = content_type {
            head.header("content-type", content_type.as_bytes()).unwrap();
        }
        let body = [Bytes::copy_from_slice(body.as_bytes())];
        key.sign(&mut head, "example.amazonaws.com", &body, 1_440_938_160).unwrap();
        let value = head.value("authorization").unwrap();
        assert!(value.ends_with(&format!("Signature={signature}")), "{method} {target}: {value}");
        assert_eq!(head.value("x-amz-date"), Some("20150830T123600Z"));
        assert_eq!(head.value("x-amz-security-token"), token);
        // The next day has another key.
        let (before, after) = (key.day.lock().unwrap().clone().unwrap().0, "20150831");
        key.sign(&mut head, "example.amazonaws.com", &body, 1_440_938_160 + 86_400).unwrap();
        assert_eq!(
            (before.as_str(), key.day.lock().unwrap().clone().unwrap().0.as_str()),
            ("20150830", after)
        );
        assert!(!format!("{key:?}").contains("wJalr"));
    }
}

/// Oracle's documentation publishes texts, their signatures, and the key: the signatures hold for the texts as we write
/// them. (The key has 1,024 bits, so nobody may sign with it any more.)
#[test]
fn the_published_signatures_of_oracle_hold_for_our_texts() {
    // The modulus and exponent of the documentation's key, as an RSAPublicKey in DER.
    const PUBLIC_KEY: &str = "30818902818100c2144346c37df21a2872f76a438d94219740b7eab3c98fe0af7d20bcfaadbc871035eb5405\
        354775df0b824d472ad10776aac05eff6845c9cd83089260d21d4befcfba67850c47b10e7297dd504f477f79\
        bf86cf85511e39b8125e0cad474851c3f1b1ca0fa92ff053c67c94e8b5cfb6c63270a188bed61aa9d5f21e91\
        ac6cc90203010001";
    let der: Vec<u8> = {
        let digits: Vec<u8> = PUBLIC_KEY.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    };
    let key =
        signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, der);
    let (date, host) = ("Thu, 05 Jan 2014 21:31:40 GMT", "iaas.us-phoenix-1.oraclecloud.com");
    let get = "/20160918/instances?availabilityDomain=Pjwf%3A%20PHX-AD-1&compartmentId=ocid1.compartment.oc1..\
               aaaaaaaam3we6vgnherjq5q2idnccdflvjsnog7mlr6rtdb25gilchfeyjxa&displayName=TeamXInstances&\
               volumeId=ocid1.volume.oc1.phx.abyhqljrgvttnlx73nmrwfaux7kcvzfs3s66izvxf2h4lgvyndsdsnoiwr5q";
    let sha256 = "V9Z20UJTvkvpJ50flBzKE32+6m2zJjweHpDMX/U4Uy0=";
    let body = oci::Body { length: 316, content_type: "application/json", sha256 };
    let table = [
        (
            oci::Request { method: "GET", target: get, host, date, body: None },
            "GBas7grhyrhSKHP6AVIj/h5/Vp8bd/peM79H9Wv8kjoaCivujVXlpbKLjMPeDUhxkFIWtTtLBj3sUzaFj34XE6YZAHc9r2DmE4pMwOAy/kiI\
             TcZxa1oHPOeRheC0jP2dqbTll8fmTZVwKZOKHYPtrLJIJQHJjNvxFWeHQjMaR7M=",
        ),
        (
            oci::Request {
                method: "POST",
                target: "/20160918/volumeAttachments",
                host,
                date,
                body: Some(body),
            },
            "Mje8vIDPlwIHmD/cTDwRxE7HaAvBg16JnVcsuqaNRim23fFPgQfLoOOxae6WqKb1uPjYEl0qIdazWaBy/Ml8DRhqlocMwoSXv0fbukP8J5N8\
             0LCmzT/FFBvIvTB91XuXI3hYfP9Zt1l7S6ieVadHUfqBedWH0itrtPJBgKmrWso=",
        ),
    ];
    for (request, published) in table {
        let text = oci::signing_string(&request);
        key.verify(text.as_bytes(), &from_base64(published)).unwrap();
        assert!(key.verify(text.replace("2014", "2015").as_bytes(), &from_base64(published)).is_err());
    }
}

/// Base64 with padding, for what was published.
fn from_base64(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = text.bytes().filter(|letter| *letter != b'=').map(value).collect();
    let bytes = letters.chunks(4).flat_map(|four| {
        let group =
            four.iter().fold(0_u32, |group, value| group << 6 | u32::from(*value)) << (6 * (4 - four.len()));
        group.to_be_bytes().into_iter().skip(1).take(four.len() - 1).collect::<Vec<u8>>()
    });
    bytes.collect()
}

/// A signed request: what is in the header is what was signed, and the key's own public half says so.
#[test]
fn oracles_headers_go_out_as_they_were_signed() {
    use aws_lc_rs::signature::KeyPair as _;
    let key = SigningKey::from_pem(KEY).unwrap();
    let public = signature::UnparsedPublicKey::new(
        &signature::RSA_PKCS1_2048_8192_SHA256,
        key.0.public_key().as_ref().to_vec(),
    );
    let oci = OciKey::new("tenancy/user/20:3b".to_owned(), key);
    for (method, body) in [("POST", "{\"a\":1}"), ("GET", ""), ("DELETE", ""), ("POST", "")] {
        let host = "inference.generativeai.us-chicago-1.oci.oraclecloud.com";
        let mut head = head(method, host, "/20231130/actions/chat?x=1");
        let body = [Bytes::copy_from_slice(body.as_bytes())];
        oci.sign(&mut head, host, &body, 1_388_957_500).unwrap();
        let mut text = format!(
            "date: Sun, 05 Jan 2014 21:31:40 GMT\n(request-target): {} /20231130/actions/chat?x=1\nhost: {host}",
            method.to_lowercase()
        );
        if method == "POST" {
            let length = body[0].len();
            let sha256 = head.value("x-content-sha256").unwrap();
            assert_eq!(sha256, base64::standard(digest::digest(&SHA256, &body[0]).as_ref()));
            text += &format!(
                "\ncontent-length: {length}\ncontent-type: application/json\nx-content-sha256: {sha256}"
            );
        }
        assert_eq!(head.value("date"), Some("Sun, 05 Jan 2014 21:31:40 GMT"));
        let value = head.value("authorization").unwrap();
        assert!(value.starts_with("Signature version=\"1\",headers=\"date (request-target) host"), "{value}");
        let signed = value.split("signature=\"").nth(1).unwrap().trim_end_matches('"');
        public.verify(text.as_bytes(), &from_base64(signed)).unwrap();
    }
}
