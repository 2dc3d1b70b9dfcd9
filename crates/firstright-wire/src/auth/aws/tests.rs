use super::*;

/// 2017-05-17T15:09:54Z.
const END_S: u64 = 1_495_033_794;

fn given(more: &str) -> String {
    format!(
        r#"{{"LastUpdated":"2017-05-17T09:00:00Z","Type":"AWS-HMAC","AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"wJalr/+=","Token":"canary-token==","Expiration":"2017-05-17T15:09:54Z"{more}}}"#
    )
}

#[test]
fn each_way_asks_in_its_own_words() {
    let ask = session();
    assert_eq!((ask.method, ask.target.as_str()), ("PUT", "/latest/api/token"));
    assert_eq!(ask.headers, [("x-aws-ec2-metadata-token-ttl-seconds", "60".to_owned())]);
    let ask = role_keys("gate/way", "s3ss10n");
    assert_eq!(ask.target, "/latest/meta-data/iam/security-credentials/gate%2Fway");
    assert_eq!(ask.headers, [("x-aws-ec2-metadata-token", "s3ss10n".to_owned())]);
    assert_eq!(role_name("s").target, "/latest/meta-data/iam/security-credentials/");
    let ask = container("/v1/credentials", Some("canary"));
    assert_eq!((ask.method, ask.headers.clone()), ("GET", vec![("authorization", "canary".to_owned())]));
    assert!(!format!("{ask:?}").contains("canary"));
    assert!(container("/v2/x", None).headers.is_empty());
    let ask = web_identity("", "arn:aws:iam::1:role/r", "firstright", "a.b.c");
    assert_eq!((ask.method, ask.target.as_str()), ("POST", "/"));
    assert_eq!(
        ask.body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=firstright&WebIdentityToken=a.b.c"
    );
}

#[test]
fn keys_hold_until_the_time_that_is_told() {
    for more in ["", r#","Code":"Success""#, r#","RoleArn":"arn:aws:iam::1:role/r""#] {
        let found = keys(200, given(more).as_bytes(), END_S - 900).unwrap();
        assert_eq!((found.access_key_id.as_str(), found.lifetime_s), ("ASIAIOSFODNN7EXAMPLE", 900));
        assert_eq!(
            (found.secret_access_key.as_str(), found.session_token.as_str()),
            ("wJalr/+=", "canary-token==")
        );
        assert!(!format!("{found:?}").contains("canary"));
    }
    assert_eq!(keys(200, given("").as_bytes(), 0).unwrap().lifetime_s, 86_400);
}

#[test]
fn what_is_refused_is_told_by_its_code_alone() {
    let now_s = END_S - 900;
    let told = |status, body: &str, now_s| keys(status, body.as_bytes(), now_s).unwrap_err().to_string();
    assert_eq!(
        told(200, r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"canary"}"#, now_s),
        "status 200, `AssumeRoleUnauthorizedAccess`"
    );
    assert_eq!(told(404, "<html>canary</html>", now_s), "status 404");
    assert_eq!(told(200, &given(""), END_S), "status 200, `expired`");
    assert_eq!(told(200, &given("").replace("ASIAIOSFODNN7EXAMPLE", "A,B"), now_s), "status 200");
    assert_eq!(told(200, &given("").replace("wJalr/+=", "a\\nb"), now_s), "status 200");
    assert_eq!(told(200, &given("").replace("canary-token==", ""), now_s), "status 200");
    assert_eq!(told(200, &given("").replace("2017-05-17T15", "soon"), now_s), "status 200");
    assert_eq!(word(200, b"gateway-role\n"), Ok("gateway-role".to_owned()));
    for (status, body) in [(404, "role"), (200, ""), (200, "two words"), (200, "\n role")] {
        assert!(word(status, body.as_bytes()).is_err(), "{status} {body:?}");
    }
    assert!(word(200, &vec![b'a'; MAX_PART_BYTES + 1]).is_err());
}

#[test]
fn sts_answers_in_xml() {
    let answer = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n\
        <AssumeRoleWithWebIdentityResult><SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken><Credentials>\n\
        <SessionToken>canary-token==</SessionToken><SecretAccessKey>wJalr/+=</SecretAccessKey>\n\
        <Expiration>2017-05-17T15:09:54Z</Expiration><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId></Credentials>\
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
    let found = assumed(200, answer.as_bytes(), END_S - 3_600).unwrap();
    assert_eq!((found.access_key_id.as_str(), found.lifetime_s), ("ASIAIOSFODNN7EXAMPLE", 3_600));
    assert_eq!(found.session_token, "canary-token==");
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>canary</Message></Error></ErrorResponse>";
    assert_eq!(
        assumed(400, refusal.as_bytes(), 0).unwrap_err().to_string(),
        "status 400, `InvalidIdentityToken`"
    );
    assert_eq!(assumed(200, b"<Credentials>", 0).unwrap_err().to_string(), "status 200");
}
