use super::*;

fn stream(events: &[&str]) -> (Stream, bool, String) {
    let (mut stream, mut out) = (Stream::new("m"), Vec::new());
    for event in events {
        stream.push(format!("data: {event}\n\n").as_bytes(), &mut out).unwrap();
    }
    let whole = stream.finish(&mut out);
    (stream, whole, String::from_utf8(out).unwrap())
}

#[test]
fn the_capacity_that_served_is_told() {
    let (stream, whole, _) = stream(&[
        r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"trafficType":"PROVISIONED_THROUGHPUT"}}"#,
        r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}}"#,
    ]);
    assert_eq!((stream.traffic_type(), whole), (Some(TrafficType::ProvisionedThroughput), true));
}

#[test]
fn an_end_is_told_once_and_only_if_every_choice_has_one() {
    let (mut ended, whole, out) = stream(&[r#"{"candidates":[{"finishReason":"STOP"}]}"#]);
    assert!(whole && out.ends_with("data: [DONE]\n\n"));
    let mut again = Vec::new();
    assert!(ended.finish(&mut again) && again.is_empty());
    let (_, whole, out) = stream(&[r#"{"candidates":[{"finishReason":"STOP"},{"index":1}]}"#]);
    assert!(!whole && !out.contains("[DONE]"));
    assert!(!stream(&[]).1);
}

#[test]
fn candidates_are_bounded() {
    let event = r#"data: {"candidates":[{"index":128}]}"#.to_owned() + "\n\n";
    assert!(Stream::new("m").push(event.as_bytes(), &mut Vec::new()).is_err());
}
