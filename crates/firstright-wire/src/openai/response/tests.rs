use super::*;
use crate::usage::Usage;

fn usage_of(usage: &str) -> Reading {
    read(Operation::ChatCompletions, format!(r#"{{"usage":{usage}}}"#).as_bytes()).unwrap().usage
}

#[test]
fn chat_and_responses_names_mean_the_same() {
    let chat = usage_of(
        r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
            "prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":10,"cache_write_hour_tokens":3,"audio_tokens":5},
            "completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":7,"accepted_prediction_tokens":1,"rejected_prediction_tokens":2}}"#,
    );
    let expected = Usage {
        input: 45,
        cached_input: 40,
        cache_write: 7,
        cache_write_hour: 3,
        output: 23,
        reasoning: 20,
        audio_in: 5,
        audio_out: 7,
        images: 0,
        audio_seconds: 0,
        requests: 1,
    };
    assert_eq!(chat, Reading::Sound(expected));
    let responses = usage_of(
        r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":40,"cache_write_tokens":10,"cache_write_hour_tokens":3,"audio_tokens":5},
            "output_tokens":50,"output_tokens_details":{"reasoning_tokens":20,"audio_tokens":7},"total_tokens":150}"#,
    );
    assert_eq!(responses, chat);
}

#[test]
fn a_member_is_read_by_its_name() {
    let of = |body: &str| string_of(body.as_bytes(), "purpose");
    let body = r#"{"id":"file-a","metadata":{"purpose":"x"},"purpose":"batch\u005foutput"}"#;
    assert_eq!(of(body).as_deref(), Some("batch_output"));
    for other in [r#"{"purpose":1}"#, r#"{"metadata":{"purpose":"x"}}"#, r#"{"purpose":"x"} {}"#, "[]", ""] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn hostile_and_absent_usage() {
    use Hostility::*;
    for (usage, expected) in [
        ("null", Reading::Absent),
        ("{}", Reading::Absent),
        (r#"{"prompt_tokens":null,"completion_tokens":null}"#, Reading::Absent),
        ("[]", Reading::Hostile(NotACount)),
        ("12", Reading::Hostile(NotACount)),
        (r#"{"prompt_tokens":-1}"#, Reading::Hostile(Negative)),
        (r#"{"prompt_tokens":1.5}"#, Reading::Hostile(NotACount)),
        (r#"{"prompt_tokens":"9"}"#, Reading::Hostile(NotACount)),
        (r#"{"prompt_tokens":NaN}"#, Reading::Hostile(NotACount)),
        (r#"{"prompt_tokens":100000001}"#, Reading::Hostile(Absurd)),
        (r#"{"prompt_tokens":99999999999999999999999}"#, Reading::Hostile(Absurd)),
        (
            r#"{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":6}}"#,
            Reading::Hostile(PartsExceedWhole),
        ),
        (r#"{"prompt_tokens":5,"completion_tokens":5,"total_tokens":9}"#, Reading::Hostile(PartsExceedWhole)),
    ] {
        assert_eq!(usage_of(usage), expected, "{usage}");
    }
    let tolerated = usage_of(
        r#"{"prompt_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":{"reasoning_tokens":null},"x":[{}]}"#,
    );
    assert_eq!(tolerated.sound().unwrap().total_input(), 5);
}

#[test]
fn only_the_top_levels_usage_counts() {
    let body = br#"{"id":"a","metadata":{"usage":{"prompt_tokens":9}},"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":8}"}}],"error":null}"#;
    let reply = read(Operation::ChatCompletions, body).unwrap();
    assert_eq!((reply.usage, reply.id.as_deref(), reply.error), (Reading::Absent, Some("a"), false));
}

#[test]
fn images_count_pieces() {
    let body = br#"{"created":1,"data":[{"url":"https://x/1"},{"url":"https://x/2"}]}"#;
    let usage = read(Operation::ImagesGenerations, body).unwrap().usage.sound().unwrap();
    assert_eq!((usage.images, usage.requests, usage.total_output()), (2, 1, 0));
}

#[test]
fn what_is_not_one_object_is_malformed() {
    for body in ["", "[]", "{", r#"{"a":1"#, r#"{"a"}"#, r#"{"a":1}x"#, "\0", r#"{"a":1 "b":2}"#] {
        assert!(read(Operation::ChatCompletions, body.as_bytes()).is_err(), "{body}");
    }
    let error = read(Operation::ChatCompletions, b"{").unwrap_err();
    assert_eq!(error.to_string(), "read the reply: at byte 1 expected a key");
}

#[test]
fn sound_may_be_billed_by_its_length() {
    for (text, seconds) in
        [("12", Some(12)), ("12.0", Some(12)), ("12.01", Some(13)), ("-1", None), ("1e9", None)]
    {
        let reading = usage_of(&format!(r#"{{"type":"duration","seconds":{text}}}"#));
        assert_eq!(reading.sound().map(|usage| usage.audio_seconds), seconds, "{text}");
    }
}
