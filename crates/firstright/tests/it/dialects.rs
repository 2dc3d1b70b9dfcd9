//! Do the translators understand what the sandbox clouds say on real sockets, in each language that isn't OpenAI's?

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::time::Duration;

use firstright::sandbox::{Running, RunningCloud, start};
use firstright_sim::cloud::{
    CapacitySpec, CloudSpec, Dialect, Fault, LiveFault, MeteredSpec, Operation, ProvisionedSpec, Spec,
};
use firstright_wire::azure::refusal::Refusal;
use firstright_wire::language::Language;
use firstright_wire::oci::ApiFormat;
use firstright_wire::openai::response;
use firstright_wire::openai::stream::{Metered, StreamEnd, StreamMeter};
use firstright_wire::operation::Operation::ChatCompletions;
use firstright_wire::usage::{Reading, Usage};
use firstright_wire::{anthropic, gemini};

/// Fast enough that no test waits for a model to think.
const SPEED: u32 = 200;

/// A language, and how its provider is called.
pub struct Speaker {
    pub language: Language,
    dialect: Dialect,
    pub model: &'static str,
    /// What stands before the translator's path.
    pub prefix: &'static str,
    key: fn(&str) -> String,
}

impl Speaker {
    /// What its deployment says beside its dialect.
    pub fn more(&self) -> String {
        match &self.language {
            Language::Oci { format, .. } => {
                let endpoint = self.model.starts_with("ocid1.") && *format == ApiFormat::CohereV2;
                let format = if endpoint { "api-format = \"cohere-v2\"\n" } else { "" };
                format!("compartment = \"{COMPARTMENT}\"\n{format}")
            }
            _ => String::new(),
        }
    }
}

/// The compartment that pays at Oracle.
pub const COMPARTMENT: &str = "ocid1.compartment.oc1..a";

pub static SPEAKERS: LazyLock<[Speaker; 6]> = LazyLock::new(|| {
    [
        Speaker {
            language: Language::Anthropic,
            dialect: Dialect::Anthropic,
            model: "claude-sonnet-4-6",
            prefix: "",
            key: |key| format!("x-api-key: {key}\r\nanthropic-version: {}\r\n", anthropic::VERSION),
        },
        Speaker {
            language: Language::Bedrock,
            dialect: Dialect::Bedrock,
            model: "anthropic.claude-sonnet-4-6",
            prefix: "",
            key: bearer,
        },
        Speaker {
            language: Language::Gemini,
            dialect: Dialect::Gemini,
            model: "gemini-2.5-flash",
            prefix: "/v1/projects/p/locations/europe-west4/publishers/google",
            key: bearer,
        },
        Speaker {
            language: Language::Oci { compartment: COMPARTMENT.to_owned(), format: ApiFormat::Generic },
            dialect: Dialect::Oci,
            model: "meta.llama-3.3-70b-instruct",
            prefix: "",
            key: bearer,
        },
        Speaker {
            language: Language::Oci { compartment: COMPARTMENT.to_owned(), format: ApiFormat::CohereV2 },
            dialect: Dialect::Oci,
            model: "cohere.command-a-vision-07-2025",
            prefix: "",
            key: bearer,
        },
        // Capacity that was committed to, by its endpoint.
        Speaker {
            language: Language::Oci { compartment: COMPARTMENT.to_owned(), format: ApiFormat::CohereV2 },
            dialect: Dialect::Oci,
            model: "ocid1.generativeaiendpoint.oc1.us-chicago-1.a",
            prefix: "",
            key: bearer,
        },
    ]
});

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {key}\r\n")
}

/// One cloud that speaks as `speaker` does, with a quota that no test fills.
pub fn cloud(speaker: &Speaker, change: impl FnOnce(&mut CloudSpec)) -> Running {
    let mut spec = Spec::reference();
    spec.listen_base = "127.0.0.1:0".to_owned();
    let mut cloud = spec.clouds.swap_remove(0);
    cloud.dialect = speaker.dialect;
    cloud.deployments.truncate(1);
    let deployment = &mut cloud.deployments[0];
    deployment.name = speaker.model.to_owned();
    deployment.model = speaker.model.to_owned();
    deployment.operations = vec![Operation::Chat];
    deployment.spillover_deployment = None;
    deployment.capacity = CapacitySpec::Metered(MeteredSpec {
        tokens_per_minute: 1_000_000_000,
        requests_per_minute: 1_000_000,
        slice_seconds: 10,
    });
    change(&mut cloud);
    spec.clouds = vec![cloud];
    start(spec, 7, SPEED).unwrap()
}

fn asked(stream: bool) -> String {
    format!(
        r#"{{"model":"m","stream":{stream},"messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"How much is left?"}}]}}"#
    )
}

/// Asks in OpenAI's language; gives back the status and what the provider said in its own. `whole` tells whether the
/// answer came to its end.
fn call(speaker: &Speaker, running: &Running, stream: bool, extra: &str) -> (u16, Vec<Vec<u8>>, bool) {
    let cloud: &RunningCloud = &running.clouds[0];
    let body = speaker.language.request(asked(stream).as_bytes(), speaker.model, 300).unwrap();
    let path = speaker.language.path(speaker.model, stream).unwrap();
    let key = (speaker.key)(&cloud.key);
    let mut socket = TcpStream::connect(cloud.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST {}{path} HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n{key}{extra}content-length: {}\r\n\r\n",
        speaker.prefix,
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(&body).unwrap();
    let mut received = Vec::new();
    // A reset ends a broken answer as well as an end of file does.
    let _ = socket.read_to_end(&mut received);
    let end = received.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer") + 4;
    let head = String::from_utf8(received[..end].to_vec()).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    if head.contains("transfer-encoding: chunked") {
        let (chunks, whole) = unchunked(&received[end..]);
        return (status, chunks, whole);
    }
    let announced = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let whole = announced.is_none_or(|length| length.parse() == Ok(received.len() - end));
    (status, vec![received[end..].to_vec()], whole)
}

fn unchunked(mut body: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut chunks = Vec::new();
    while let Some(line) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return (chunks, true);
        }
        let Some(chunk) = body.get(line + 2..line + 2 + size) else { break };
        chunks.push(chunk.to_vec());
        body = body.get(line + 4 + size..).unwrap_or_default();
    }
    (chunks, false)
}

/// The translated stream, and what the gateway's meter makes of it.
fn metered(speaker: &Speaker, chunks: &[Vec<u8>]) -> (String, bool, StreamEnd, Metered) {
    let (mut stream, mut out) = (speaker.language.stream("m"), Vec::new());
    chunks.iter().for_each(|chunk| stream.push(chunk, &mut out).unwrap());
    let ended = stream.finish(&mut out);
    let mut meter = StreamMeter::new(ChatCompletions, false);
    meter.push(&out);
    let end = meter.finish();
    (String::from_utf8(out).unwrap(), ended, end, meter.metered().clone())
}

/// What `x-sandbox-tokens: 1234,17,1000` comes to.
fn used() -> Usage {
    Usage { input: 234, cached_input: 1000, output: 17, requests: 1, ..Usage::default() }
}

const TOKENS: &str = "x-sandbox-tokens: 1234,17,1000\r\n";

#[test]
fn a_whole_answer_and_a_stream_say_and_cost_the_same() {
    for speaker in SPEAKERS.iter() {
        let running = cloud(speaker, |_| {});
        let (status, body, whole) = call(speaker, &running, false, TOKENS);
        assert_eq!((status, whole), (200, true), "{:?}", speaker.dialect);
        let answer = speaker.language.response(&body.concat(), "m").unwrap();
        let reply = response::read(ChatCompletions, &answer).unwrap();
        assert_eq!(reply.usage, Reading::Sound(used()), "{:?}", speaker.dialect);
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        let said = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert_eq!(
            (said.split_whitespace().count(), &answer["choices"][0]["finish_reason"]),
            (17, &"stop".into())
        );

        let (status, chunks, whole) = call(speaker, &running, true, TOKENS);
        assert_eq!((status, whole), (200, true), "{:?}", speaker.dialect);
        let (text, ended, end, metered) = metered(speaker, &chunks);
        assert_eq!(
            (ended, end, metered.usage),
            (true, StreamEnd::Complete, Reading::Sound(used())),
            "{text}"
        );
        assert_eq!(metered.unreadable, 0, "{text}");
        let mut words = String::new();
        for event in
            text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]")
        {
            let event: serde_json::Value = serde_json::from_str(event).unwrap();
            words.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        }
        assert_eq!(words.split_whitespace().count(), 17, "{:?}", speaker.dialect);
        assert_eq!(running.clouds[0].counters().served, 2, "{:?}", speaker.dialect);
    }
}

#[test]
fn the_answers_bound_is_taken_from_the_request() {
    for speaker in SPEAKERS.iter() {
        let long = |cloud: &mut CloudSpec| {
            let lengths = &mut cloud.deployments[0].output_tokens;
            (lengths.p1, lengths.p50, lengths.p90, lengths.p99) = (400, 500, 600, 700);
        };
        let running = cloud(speaker, long);
        let (_, body, _) = call(speaker, &running, false, "");
        let answer = speaker.language.response(&body.concat(), "m").unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["choices"][0]["finish_reason"], "length", "{:?}", speaker.dialect);
        assert_eq!(answer["usage"]["completion_tokens"], 300, "{:?}", speaker.dialect);
    }
}

#[test]
fn refusals_are_understood() {
    for speaker in SPEAKERS.iter() {
        let refused = |running: &Running| {
            let (status, body, _) = call(speaker, running, false, "");
            speaker.language.refusal(status, &body.concat()).0
        };
        let quota = |cloud: &mut CloudSpec| {
            cloud.deployments[0].capacity = CapacitySpec::Metered(MeteredSpec {
                tokens_per_minute: 1,
                requests_per_minute: 1_000_000,
                slice_seconds: 10,
            });
        };
        assert_eq!(refused(&cloud(speaker, quota)), Refusal::Throttled, "{:?}", speaker.dialect);
        let short = |cloud: &mut CloudSpec| cloud.deployments[0].context_tokens = 10;
        assert_eq!(refused(&cloud(speaker, short)), Refusal::ContextTooLong, "{:?}", speaker.dialect);
        let renamed = |cloud: &mut CloudSpec| cloud.deployments[0].name = "another".to_owned();
        assert_eq!(refused(&cloud(speaker, renamed)), Refusal::NotFound, "{:?}", speaker.dialect);
        let mut running = cloud(speaker, |_| {});
        running.clouds[0].key = "wrong".to_owned();
        assert_eq!(refused(&running), Refusal::Auth, "{:?}", speaker.dialect);
        for (status, expected) in [(500, Refusal::ServerError), (503, Refusal::Overloaded)] {
            let running = cloud(speaker, |_| {});
            let fault = Fault::BrownOut { error_percent: 100, status, slow_percent: 100 };
            running.clouds[0].put_faults(vec![LiveFault { deployment: None, fault, for_s: None }]).unwrap();
            assert_eq!(refused(&running), expected, "{:?}", speaker.dialect);
        }
    }
}

#[test]
fn a_stream_that_is_cut_has_no_end() {
    for speaker in SPEAKERS.iter() {
        let running = cloud(speaker, |_| {});
        let fault = Fault::Cut { percent: 100, after_chunks: 2 };
        running.clouds[0].put_faults(vec![LiveFault { deployment: None, fault, for_s: None }]).unwrap();
        let (status, chunks, whole) = call(speaker, &running, true, "x-sandbox-tokens: 100,400\r\n");
        assert_eq!((status, whole), (200, false), "{:?}", speaker.dialect);
        let (text, ended, end, metered) = metered(speaker, &chunks);
        assert_eq!((ended, end), (false, StreamEnd::CutWithoutDone), "{text}");
        assert!(metered.content_seen, "{text}");
    }
}

#[test]
fn bought_capacity_says_that_it_served() {
    let speaker = SPEAKERS.iter().find(|speaker| speaker.dialect == Dialect::Gemini).unwrap();
    let bought = |cloud: &mut CloudSpec| {
        cloud.deployments[0].capacity = CapacitySpec::Provisioned(ProvisionedSpec {
            units: 60,
            tokens_per_minute_per_unit: 4750,
            window_seconds: 60,
            burst_percent: 5,
            output_weight: 1,
        });
    };
    for (running, expected) in [
        (cloud(speaker, bought), gemini::TrafficType::ProvisionedThroughput),
        (cloud(speaker, |_| {}), gemini::TrafficType::OnDemand),
    ] {
        let (_, body, _) = call(speaker, &running, false, TOKENS);
        assert_eq!(gemini::traffic_type(&body.concat()), Some(expected));
        let (_, chunks, _) = call(speaker, &running, true, TOKENS);
        let mut stream = gemini::Stream::new("m");
        chunks.iter().for_each(|chunk| stream.push(chunk, &mut Vec::new()).unwrap());
        assert_eq!(stream.traffic_type(), Some(expected));
    }
}

/// A model that embeds texts, in a language that isn't OpenAI's.
pub struct Embedder {
    /// Speaks the language, with another model.
    pub speaker: usize,
    pub model: &'static str,
    pub prefix: &'static str,
    /// It takes more texts than one.
    pub batch: bool,
    /// It tells what it used.
    pub tells: bool,
}

const VERTEX: &str = "/v1/projects/p/locations/europe-west4/publishers/google";

pub const EMBEDDERS: [Embedder; 5] = [
    Embedder { speaker: 1, model: "amazon.titan-embed-text-v2:0", prefix: "", batch: false, tells: true },
    Embedder { speaker: 1, model: "cohere.embed-v4:0", prefix: "", batch: true, tells: true },
    Embedder { speaker: 2, model: "text-embedding-005", prefix: VERTEX, batch: true, tells: true },
    Embedder { speaker: 2, model: "gemini-embedding-2", prefix: VERTEX, batch: false, tells: true },
    Embedder { speaker: 2, model: "gemini-embedding-001", prefix: "/v1beta", batch: true, tells: false },
];

/// One cloud that embeds as `embedder` does.
pub fn embedding_cloud(embedder: &Embedder) -> Running {
    cloud(&SPEAKERS[embedder.speaker], |cloud| {
        let deployment = &mut cloud.deployments[0];
        deployment.name = embedder.model.to_owned();
        deployment.model = embedder.model.to_owned();
        deployment.operations = vec![Operation::Embeddings];
    })
}
