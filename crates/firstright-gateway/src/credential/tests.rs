use std::collections::HashMap;

use firstright_wire::auth::date;

use super::*;
use crate::upstream::Trust;

const KEY: &str = include_str!("../../tests/it/tls/rsa.key.pem");
const CERTIFICATE: &str = include_str!("../../tests/it/tls/rsa.cert.pem");
const NOW_S: u64 = 1_440_938_160;

fn url(path: &str) -> TokenUrl {
    let target = Target::tls("login.example", 443, Trust::Platform).unwrap();
    TokenUrl { target, path: path.to_owned(), url: format!("https://login.example{path}") }
}

fn fields(form: &str) -> HashMap<&str, &str> {
    form.split('&').map(|pair| pair.split_once('=').unwrap()).collect()
}

/// Google's assertion, signed by `printf … | openssl dgst -sha256 -sign rsa.key.pem`.
#[test]
fn an_assertion_is_signed_as_openssl_does() {
    let grant = Grant::Google {
        email: "gateway@project.iam.gserviceaccount.com".to_owned(),
        key_id: "k1".to_owned(),
        scope: "https://www.googleapis.com/auth/cloud-platform".to_owned(),
        key: SigningKey::from_pem(KEY).unwrap(),
    };
    let url = TokenUrl { url: "https://oauth2.googleapis.com/token".to_owned(), ..url("/token") };
    let ask = grant.ask(&url, NOW_S).unwrap();
    let wanted = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.\
        eyJhdWQiOiJodHRwczovL29hdXRoMi5nb29nbGVhcGlzLmNvbS90b2tlbiIsImV4cCI6MTQ0MDkzODc2MCwiaWF0IjoxNDQwOTM4MTYwLCJpc3Mi\
        OiJnYXRld2F5QHByb2plY3QuaWFtLmdzZXJ2aWNlYWNjb3VudC5jb20iLCJzY29wZSI6Imh0dHBzOi8vd3d3Lmdvb2dsZWFwaXMuY29tL2F1dGgv\
        Y2xvdWQtcGxhdGZvcm0ifQ.\
        czP0cPhvDX6rkME_7tniof-hZsOvp3yxIVjYNTSqZgtfGgZOT8WEqevK7LyKg1O5qBKoU7ggDobzrHJYrAQmfvIT2JxSxRQ3if-C3gPFp9Feflea\
        OYxoS3yprzAd0WwIip5nWYOMMeJ9c1SqkgcBsZtR-vsf8Luwd06zFbY3wfwyHL3ooxDF22N_WcyRTm_Bi5_GtYFxTrQX4NGh2Sfw4_6ZdxVydXUg\
        jaHgUBAnXUkxtevfBkSJD6Ujq5XKlQWGmyCXGfkyzyIVkhs_H3MPS9bIY05smr2adZFfEb37Qsu5v0vsJP-TNa2Bh2N0lml0Ovk8VQzn3w8aMraC\
        _hKFDQ";
    assert_eq!(ask.target, "/token");
    assert_eq!(fields(&ask.body)["assertion"], wanted);
}

#[test]
fn entra_gets_the_proof_that_was_configured() {
    let ask = |subject| {
        let scope = "https://s/.default".to_owned();
        let grant = Grant::Entra { client_id: "app".to_owned(), scope, subject };
        grant.ask(&url("/tenant/oauth2/v2.0/token"), NOW_S)
    };
    let by_secret = ask(Subject::Secret(Secret::new("s3cret/+"))).unwrap();
    assert_eq!(by_secret.target, "/tenant/oauth2/v2.0/token");
    assert_eq!(fields(&by_secret.body)["client_secret"], "s3cret%2F%2B");

    // Each assertion has an id of its own.
    let key = SigningKey::from_pem(KEY).unwrap();
    let by_certificate = || Subject::Certificate(key.clone(), thumbprint(CERTIFICATE).unwrap());
    let (one, other) = (ask(by_certificate()).unwrap(), ask(by_certificate()).unwrap());
    let (one, other) = (fields(&one.body)["client_assertion"], fields(&other.body)["client_assertion"]);
    assert_eq!(one.split('.').next(), other.split('.').next());
    assert_ne!(one, other);

    // The file is read at each asking: who federates writes it anew.
    let file = std::env::temp_dir().join(format!("firstright-federated-{}", std::process::id()));
    for said in ["a.b.c", "d.e.f"] {
        std::fs::write(&file, format!("{said}\n")).unwrap();
        let by_file = ask(Subject::Federated(file.clone())).unwrap();
        assert_eq!(fields(&by_file.body)["client_assertion"], said);
    }
    std::fs::remove_file(&file).unwrap();
    let gone = ask(Subject::Federated(file.clone())).unwrap_err();
    assert!(gone.to_string().contains(&file.display().to_string()), "{gone}");
}

#[test]
fn a_clock_that_is_off_is_told_with_its_side() {
    let headers = |ahead: i64| {
        let theirs = clock::now_s().checked_add_signed(ahead).unwrap();
        HeaderMap::from_iter([(header::DATE, date::http(theirs).parse().unwrap())])
    };
    assert_eq!(clock::skew_of(&HeaderMap::new()), None);
    for (ahead, told) in [(0_i64, false), (60, false), (3_600, true), (-3_600, true)] {
        let skew = clock::skew_of(&headers(ahead));
        assert_eq!(skew.is_some(), told, "{ahead}");
        // A second may pass between the two looks at the clock.
        assert!(skew.is_none_or(|skew| (skew - ahead).abs() <= 1), "{skew:?}");
    }
    assert_eq!(Skew(3_600).to_string(), "this machine's clock is 3600 s behind theirs");
    assert_eq!(Skew(-90).to_string(), "this machine's clock is 90 s ahead of theirs");
}

/// A drifted clock is learnt from a refusal, once; a good one, or a lie, is not.
#[test]
fn signatures_follow_the_clock_of_who_checks_them() {
    let target = Target::tls("oci.example", 443, Trust::Platform).unwrap();
    let key = OciKey::new("t/u/f".to_owned(), SigningKey::from_pem(KEY).unwrap());
    let credential = Credential::new(Proof::Oci(Arc::new(key)), &target);
    let headers = |ahead: i64| {
        let theirs = clock::now_s().checked_add_signed(ahead).unwrap();
        HeaderMap::from_iter([(header::DATE, date::http(theirs).parse().unwrap())])
    };
    let refused = |status, ahead| credential.renew(Used::default(), status, &headers(ahead));
    let (unauthorised, forbidden) = (StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
    assert!(!refused(unauthorised, 3), "the clock is right: the key is not");
    assert!(!refused(StatusCode::BAD_REQUEST, 1_000) && !refused(forbidden, 40 * 86_400));
    assert_eq!(credential.health().clock_ahead_s, None);
    assert!(refused(unauthorised, 1_000) && !refused(forbidden, 1_000));
    assert!((999..=1_001).contains(&credential.health().clock_ahead_s.unwrap()));
    let Proof::Oci(key) = credential.proof() else { panic!("another proof") };
    assert!((999..=1_001).contains(&(key.clock.now_s() - clock::now_s())));
    // It was put right in the meantime.
    assert!(refused(forbidden, 0));
}
