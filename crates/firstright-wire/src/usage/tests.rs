use super::*;

#[test]
fn buckets_are_disjoint_and_add_up() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 20) % (bound + 1)
    };
    let (mut sound, mut hostile) = (0, 0);
    for _ in 0..50_000 {
        let (input, output) = (next(1_000), next(1_000));
        let total = [None, Some(input + output), Some(input + output + next(50)), Some(next(2_000))]
            [next(3) as usize];
        let reported = Reported {
            input: Some(input),
            output: Some(output),
            total,
            cached: next(600),
            cache_write: next(200),
            cache_write_hour: next(20),
            audio_in: next(600),
            reasoning: next(600),
            audio_out: next(300),
        };
        match reported.disjoint() {
            Reading::Sound(usage) => {
                sound += 1;
                assert_eq!(usage.total_input(), input);
                assert_eq!(usage.total_input() + usage.total_output(), total.unwrap_or(input + output));
                let written = usage.cache_write + usage.cache_write_hour;
                assert_eq!((usage.cached_input, written), (reported.cached, reported.cache_write));
                assert_eq!(usage.cache_write_hour, reported.cache_write_hour);
                assert_eq!(usage.audio_out, reported.audio_out);
                assert!(usage.reasoning >= reported.reasoning);
                assert_eq!(usage.requests, 1);
            }
            Reading::Hostile(why) => {
                hostile += 1;
                assert_eq!(why, Hostility::PartsExceedWhole);
            }
            Reading::Absent => panic!("{reported:?} is not absent"),
        }
    }
    assert!(sound > 5_000 && hostile > 5_000, "{sound} sound, {hostile} hostile");
}

#[test]
fn reasoning_outside_of_the_output_total() {
    // xAI: completion_tokens without reasoning, total with it.
    let xai =
        Reported { input: Some(32), output: Some(9), total: Some(135), reasoning: 94, ..Reported::default() };
    let usage = xai.disjoint().sound().unwrap();
    assert_eq!((usage.output, usage.reasoning, usage.total_output()), (9, 94, 103));
    // Gemini: no details at all.
    let gemini = Reported { reasoning: 0, ..xai };
    assert_eq!(gemini.disjoint(), xai.disjoint());
    // OpenAI: reasoning only, nothing visible.
    let openai =
        Reported { input: Some(10), output: Some(64), total: Some(74), reasoning: 64, ..Reported::default() };
    let usage = openai.disjoint().sound().unwrap();
    assert_eq!((usage.output, usage.reasoning), (0, 64));
}

#[test]
fn cached_audio_is_counted_as_cached() {
    let reported = Reported { input: Some(100), cached: 80, audio_in: 50, ..Reported::default() };
    let usage = reported.disjoint().sound().unwrap();
    assert_eq!((usage.input, usage.cached_input, usage.audio_in), (0, 80, 20));
}
