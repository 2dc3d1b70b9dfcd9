use super::*;

#[test]
fn what_is_no_answer_is_malformed() {
    for body in
        ["", "[]", r#"{"error":{"code":400}}"#, r#"{"candidates":5}"#, r#"{"candidates":[{"index":-1}]}"#]
    {
        assert!(response(body.as_bytes(), "m").is_err(), "{body}");
    }
}

#[test]
fn every_reason_to_stop_has_its_word() {
    let cases = [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("SPII", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "stop"),
        ("ONE_OF_TOMORROW", "stop"),
    ];
    for (reason, expected) in cases {
        let body = format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#);
        let answer: serde_json::Value =
            serde_json::from_slice(&response(body.as_bytes(), "m").unwrap()).unwrap();
        assert_eq!(answer["choices"][0]["finish_reason"], expected);
    }
}

#[test]
fn the_capacity_that_served_is_told() {
    let told =
        |name: &str| traffic_type(format!(r#"{{"usageMetadata":{{"trafficType":"{name}"}}}}"#).as_bytes());
    assert_eq!(told("PROVISIONED_THROUGHPUT"), Some(TrafficType::ProvisionedThroughput));
    assert_eq!(told("ON_DEMAND"), Some(TrafficType::OnDemand));
    assert_eq!(told("ON_DEMAND_PRIORITY"), Some(TrafficType::Priority));
    assert_eq!(told("ON_DEMAND_FLEX"), Some(TrafficType::Flex));
    assert_eq!(told("ON_DEMAND_OFFPEAK"), Some(TrafficType::OffPeak));
    assert_eq!(told("SOMETHING_NEW"), Some(TrafficType::Unknown));
    assert_eq!(told("TRAFFIC_TYPE_UNSPECIFIED"), None);
    assert_eq!(traffic_type(b"{}"), None);
}
