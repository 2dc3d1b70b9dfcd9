//! What does it cost that ends later than its answer: a batch, a fine-tuning job?

use firstright_core::decision::Action;
use firstright_core::fact::Fact;
use firstright_core::units::Money;
use firstright_core::usage::{Tier, Usage};
use serde_json::{Value, json};

use crate::threats::keeping_under;
use crate::world::{Book, Recorder, until};

const PRICES: &str = "[[agreement.price]]\nid = \"batch\"\nparty = \"microsoft\"\nmodels = [\"gpt-4o\"]\ntier = \"batch\"\n\
                      input = \"1 USD/Mtok\"\noutput = \"5 USD/Mtok\"\n\n\
                      [[agreement.price]]\nid = \"training\"\nparty = \"microsoft\"\nmodels = [\"gpt-4o-mini\"]\n\
                      input = \"1 USD/Mtok\"\ntrained = \"3 USD/Mtok\"\n\n";

/// An answer with this body; one that begins as a head does is that already.
fn answer(body: &str) -> Vec<u8> {
    if body.starts_with("HTTP/1.1 ") {
        return body.into();
    }
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n");
    format!("{head}connection: close\r\n\r\n{body}").into_bytes()
}

/// Asks for it at Azure, which gives these answers in turn, and waits until it has been settled. Gives the settlement, what
/// it cost, and the paths that the provider was asked for.
fn settled(
    path: &str,
    body: &Value,
    answers: &[&str],
) -> (Usage, Tier, Option<String>, Option<Money>, Vec<String>) {
    let recorder = Recorder::answering_in_turn(answers.iter().map(|body| answer(body)).collect());
    let before = "[[agreement.exclusivity]]\nid = \"azure-only\"";
    let world = keeping_under(&recorder, &[(before, &format!("{PRICES}{before}"))]);
    let headers = "x-firstright-home: azure\r\n";
    let reply = world.post("open", path, headers, body.to_string().as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(world.open_calls(), 1, "it goes on");
    until("it is settled", || world.open_calls() == 0);
    let book: Book = world.stop();
    let law = book.world();
    let mut found =
        book.records.iter().filter_map(|record| match (&record.fact, record.decisions.first()?) {
            (Fact::CallSettled { usage, tier, ran, .. }, decision) => match &decision.action {
                Action::Settle { cost, .. } => {
                    Some((*usage, *tier, ran.map(|ran| law.model(ran).to_string()), *cost))
                }
                _ => None,
            },
            _ => None,
        });
    let (usage, tier, ran, cost) = found.next().unwrap();
    assert!(found.next().is_none(), "one settlement");
    let asked = recorder.requests().into_iter().map(|(head, _)| head.lines().next().unwrap().to_string());
    (usage, tier, ran, cost, asked.collect())
}

#[test]
fn a_batch_costs_what_its_model_costs_there_by_its_tier() {
    let begun = r#"{"id":"batch_1","status":"validating"}"#;
    let ended = r#"{"id":"batch_1","status":"completed","model":"gpt-4o-2024-08-06","request_counts":{"completed":4},
        "usage":{"input_tokens":3000000,"output_tokens":1000000}}"#;
    let batch = json!({ "endpoint": "/v1/responses", "completion_window": "24h" });
    let (usage, tier, ran, cost, _) = settled("/v1/batches", &batch, &[begun, ended]);
    let used = Usage { input: 3_000_000, output: 1_000_000, requests: 4, ..Usage::default() };
    assert_eq!((usage, tier, ran.as_deref()), (used, Tier::Batch, Some("gpt-4o")));
    assert_eq!(cost, Some(Money(8_000_000_000)));
}

/// An Azure of some versions says neither what a batch ran nor what it used: its files do, by the deployment's own name.
#[test]
fn what_a_batch_does_not_tell_stands_in_its_files() {
    let begun = r#"{"id":"batch_1","status":"in_progress"}"#;
    let ended =
        r#"{"id":"batch_1","status":"completed","input_file_id":"file-in","output_file_id":"file-out"}"#;
    let input = r#"{"custom_id":"a","method":"POST","url":"/chat/completions","body":{"model":"four-o-payg","messages":[]}}
{"custom_id":"b"}"#;
    let line = |tokens: u32| {
        format!(
            r#"{{"custom_id":"a","response":{{"status_code":200,"body":{{"usage":{{"prompt_tokens":{tokens},"completion_tokens":1}}}}}}}}"#
        )
    };
    let output = format!("{}\n{}\n", line(1_999), line(1));
    let batch = json!({ "input_file_id": null });
    // A file that does not come, or not whole, is asked for again.
    let busy = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\nconnection: close\r\n\r\n{}", line(7));
    let answers = [begun, ended, busy, input, &cut, &output];
    let (usage, tier, ran, cost, asked) = settled("/v1/batches", &batch, &answers);
    let used = Usage { input: 2_000, output: 2, requests: 2, ..Usage::default() };
    assert_eq!((usage, tier, ran.as_deref()), (used, Tier::Batch, Some("gpt-4o")));
    assert_eq!(cost, Some(Money(2_010_000)));
    let files =
        ["GET /openai/v1/files/file-in/content HTTP/1.1", "GET /openai/v1/files/file-out/content HTTP/1.1"];
    assert_eq!(asked[2..], [files[0], files[0], files[1], files[1]]);
}

#[test]
fn what_nobody_tells_is_unpriced() {
    let begun = r#"{"id":"batch_1","status":"in_progress"}"#;
    let ended = r#"{"id":"batch_1","status":"completed","model":"another","usage":{"input_tokens":5,"output_tokens":5}}"#;
    let (usage, tier, ran, cost, _) = settled("/v1/batches", &json!({}), &[begun, ended]);
    assert_eq!((usage.input, tier, ran, cost), (5, Tier::Unknown, None, None));
    // It ran and nobody says how much: the answer to each question for a file is the batch.
    let ended = r#"{"id":"batch_1","status":"completed","model":"gpt-4o","output_file_id":"file-out"}"#;
    let (_, tier, _, cost, _) =
        settled("/v1/batches", &json!({}), &[begun, ended, r#"{"response":{"status_code":200,"body":{}}}"#]);
    assert_eq!((tier, cost), (Tier::Unknown, None));
    // More than so many requests can use is nobody's usage.
    let ended = r#"{"id":"batch_1","status":"completed","model":"gpt-4o","request_counts":{"completed":1},
        "usage":{"input_tokens":3000000,"output_tokens":1}}"#;
    let (_, tier, ran, cost, _) = settled("/v1/batches", &json!({}), &[begun, ended]);
    assert_eq!((tier, ran.as_deref(), cost), (Tier::Unknown, Some("gpt-4o"), None));
    // One that never began cost nothing.
    let failed = r#"{"id":"batch_1","status":"failed","errors":{}}"#;
    let (usage, _, _, cost, _) = settled("/v1/batches", &json!({}), &[begun, failed]);
    assert_eq!((usage, cost), (Usage::default(), Some(Money::ZERO)));
}

/// A key that is changed while a batch runs is the one that is needed at its end.
#[test]
fn a_batch_is_followed_with_the_key_that_holds() {
    let going = r#"{"id":"batch_1","status":"in_progress"}"#;
    let ended = r#"{"id":"batch_1","status":"completed","model":"gpt-4o","usage":{"input_tokens":5,"output_tokens":5}}"#;
    let recorder = Recorder::answering_in_turn([going, going, ended].map(answer).to_vec());
    let world = keeping_under(&recorder, &[]);
    let headers = "x-firstright-home: azure\r\n";
    assert_eq!(world.post("open", "/v1/batches", headers, b"{}").status, 200);
    let config = world.folder.0.join("firstright.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let key = world.folder.write("new.key", "the-new-key");
    let store = "id = \"azure-store\"\n";
    std::fs::write(&config, text.replacen(store, &format!("{store}key = {{ file = {key:?} }}\n"), 1))
        .unwrap();
    world.plane.operating.reloader.clone().unwrap().reload().unwrap();
    until("it is settled", || world.open_calls() == 0);
    let requests = recorder.requests();
    assert!(!requests[0].0.contains("the-new-key"), "{}", requests[0].0);
    assert!(requests.last().unwrap().0.contains("the-new-key"), "{}", requests.last().unwrap().0);
    world.stop();
}

#[test]
fn a_job_costs_what_it_was_trained_on() {
    let begun = r#"{"id":"ftjob-1","status":"validating_files","model":"gpt-4o-mini"}"#;
    let running = r#"{"id":"ftjob-1","status":"running","trained_tokens":null}"#;
    let ended = r#"{"id":"ftjob-1","status":"succeeded","trained_tokens":2000000}"#;
    let job = json!({ "model": "gpt-4o-mini", "training_file": null });
    let (usage, tier, ran, cost, asked) = settled("/v1/fine_tuning/jobs", &job, &[begun, running, ended]);
    let used = Usage { trained: 2_000_000, requests: 1, ..Usage::default() };
    assert_eq!((usage, tier, ran, cost), (used, Tier::Default, None, Some(Money(6_000_000_000))));
    assert_eq!(asked[1], "GET /openai/v1/fine_tuning/jobs/ftjob-1 HTTP/1.1");
}
