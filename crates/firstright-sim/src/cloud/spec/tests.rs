use super::{DEFAULT_SPEC, Dialect, Spec};

#[test]
fn the_default_describes_four_clouds() {
    let spec = Spec::reference();
    let found: Vec<_> = spec.clouds.iter().map(|cloud| (cloud.name.as_str(), cloud.dialect)).collect();
    let openai = Dialect::Openai;
    let wanted = [("azure", Dialect::Azure), ("oracle", openai), ("softbank", openai), ("coreweave", openai)];
    assert_eq!(found, wanted);
}

/// Each example fault in the default's last comment is one that the parser takes.
#[test]
fn the_commented_faults_are_real() {
    let mut tried = 0;
    for line in DEFAULT_SPEC.lines() {
        let Some(fault) = line.strip_prefix("# fault = ") else { continue };
        let scheduled = format!("faults = [{{ from_s = 1, until_s = 2, fault = {fault} }}]");
        let text = DEFAULT_SPEC.replacen("faults = []", &scheduled, 1);
        let spec = Spec::parse(&text).unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert_eq!(spec.clouds[0].faults.len(), 1);
        tried += 1;
    }
    assert_eq!(tried, 7);
}

#[test]
fn mistakes_are_named() {
    let cases = [
        ("coalesce_ms = 2", "coalesce_msec = 2", "unknown field `coalesce_msec`"),
        ("units = 60", "units = 60\nunit = 1", "unknown field `unit`"),
        ("units = 60", "units = 0", "`units` is `0`"),
        ("slice_seconds = 10", "slice_seconds = 7", "`slice_seconds` is `7`"),
        ("name = \"oracle\"", "name = \"azure\"", "two clouds are called `azure`"),
        ("\"gpt-5-payg\"", "\"nowhere\"", "unknown deployment `nowhere`"),
        ("\"gpt-5-payg\"", "\"gpt-oss-120b\"", "must spill to another deployment of its model"),
        ("refuse_with = 429", "refuse_with = 418", "`refuse_with` is `418`"),
        ("dialect = \"azure\"", "dialect = \"gemini\"", "its dialect serves `chat` alone"),
        ("p50 = 320", "p50 = 3", "`first_token_ms` must rise"),
        ("name = \"oracle\"", "name = \"or/acle\"", "`or/acle` is not a name"),
        (
            "faults = []",
            "faults = [{ from_s = 0, until_s = 9, deployment = \"x\", fault = { wrong-usage = { percent = 1 } } }]",
            "unknown deployment `x`",
        ),
        (
            "faults = []",
            "faults = [{ from_s = 0, until_s = 9, fault = { cut = { percent = 101, after_chunks = 1 } } }]",
            "`101` percent",
        ),
    ];
    for (find, put, wanted) in cases {
        let text = DEFAULT_SPEC.replacen(find, put, 1);
        let error = Spec::parse(&text).expect_err(put).to_string();
        assert!(error.contains(wanted), "{put}: {error}");
        assert!(error.starts_with("failed to read the sandbox spec: "));
    }
}
