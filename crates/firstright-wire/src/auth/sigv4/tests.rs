use super::*;

const SCOPE: Scope<'_> = Scope { time: "20150830T123600Z", region: "us-east-1", service: "service" };
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HEADERS: [(&str, &str); 2] = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];

/// `get-vanilla` of AWS's test suite, word for word. The signatures of the suite are checked where the keys are.
#[test]
fn the_texts_of_the_published_suite() {
    let request = Request { method: "GET", target: "/", headers: &HEADERS, body_sha256: EMPTY };
    let wanted = format!(
        "GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n{EMPTY}"
    );
    assert_eq!(canonical(&request), wanted);
    let hash = "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63";
    let wanted =
        format!("AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n{hash}");
    assert_eq!(string_to_sign(&SCOPE, hash), wanted);
    let wanted = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                  SignedHeaders=host;x-amz-date, Signature=5f";
    assert_eq!(authorization("AKIDEXAMPLE", &SCOPE, &HEADERS, "5f"), wanted);
}

#[test]
fn paths_and_queries_are_made_canonical() {
    let table = [
        ("/model/amazon.nova-lite-v1%3A0/converse", "/model/amazon.nova-lite-v1%253A0/converse", ""),
        ("/openai/v1/chat/completions", "/openai/v1/chat/completions", ""),
        ("/?Param2=value2&Param1=value1", "/", "Param1=value1&Param2=value2"),
        ("/?b=2&a=2&a=1&c", "/", "a=1&a=2&b=2&c="),
        ("/?a=x%20y&b=%e1%zz", "/", "a=x%20y&b=%E1%25zz"),
        ("/?a=b=c", "/", "a=b%3Dc"),
    ];
    for (target, path, query) in table {
        let request = Request { method: "POST", target, headers: &[], body_sha256: EMPTY };
        assert_eq!(canonical(&request), format!("POST\n{path}\n{query}\n\n\n{EMPTY}"), "{target}");
    }
}

#[test]
fn spaces_in_a_header_count_once() {
    let headers = [("my-header", "  value4  value1\tvalue3 ")];
    let request = Request { method: "GET", target: "/", headers: &headers, body_sha256: EMPTY };
    assert!(canonical(&request).contains("\nmy-header:value4 value1 value3\n"));
}
