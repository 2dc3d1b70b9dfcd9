//! What does a surge look like? The recipe of the small traces in `traces/`: a quiet start, a steep rise, a slow fall.
//! They are made up, from a seed, and take nothing from any real trace.

use std::fmt::Write as _;

/// The committed files are of this seed.
const SEED: u64 = 2_025;
/// Calls in each of the trace's minutes: the surge comes inside one minute, as real ones do.
const CALLS_A_MINUTE: [u64; 10] = [12, 12, 14, 90, 84, 60, 40, 24, 14, 12];
/// Jobs in each of the trace's hours.
const JOBS_AN_HOUR: [u64; 12] = [4, 5, 4, 40, 36, 28, 20, 16, 10, 6, 5, 4];
/// Sizes of jobs: most take one accelerator, few take many, as in the clusters that were published.
const GPUS: [u64; 16] = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 32];

/// A splitmix64 stream.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % n
    }
}

/// The text of `traces/surge-calls.csv`.
pub fn surge_calls() -> String {
    let mut draw = Draw(SEED);
    let mut text = "t_ms,model,tenant,prompt_tokens,output_tokens\n".to_string();
    for (calls, minute) in CALLS_A_MINUTE.into_iter().zip(0u64..) {
        let mut times: Vec<u64> = (0..calls).map(|_| minute * 60_000 + draw.below(60_000)).collect();
        times.sort_unstable();
        for t_ms in times {
            let tenant = ["chat", "chat", "search"][draw.below(3) as usize];
            let model = ["gpt-4o", "gpt-4o", "gpt-4o-mini"][draw.below(3) as usize];
            let prompt = 200 + draw.below(60) * draw.below(60);
            let _ = writeln!(text, "{t_ms},{model},{tenant},{prompt},{}", 20 + draw.below(480));
        }
    }
    text
}

/// The text of `traces/surge-minute.csv`, which `firstright demo` plays: a minute in which traffic grows to seven times
/// its size and falls again, of the sample world's tenants.
pub fn surge_minute() -> String {
    /// (seconds, calls a second) of each stretch.
    const SHAPE: [(u64, u64); 4] = [(10, 15), (5, 50), (30, 110), (15, 15)];
    let mut draw = Draw(SEED);
    let mut text = "t_ms,model,tenant,prompt_tokens,output_tokens\n".to_string();
    let mut start_ms = 0;
    for (seconds, rate) in SHAPE {
        for nth in 0..seconds * rate {
            let t_ms = start_ms + nth * 1_000 / rate;
            let tenant = match draw.below(100) {
                0..70 => "chatgpt",
                70..94 => "acme",
                _ => "eurobank",
            };
            // About the means of Azure's conversation trace of 2023: 1,155 in, 211 out.
            let (prompt, output) =
                (200 + draw.below(960) + draw.below(960), 20 + draw.below(191) + draw.below(191));
            let _ = writeln!(text, "{t_ms},gpt-4o,{tenant},{prompt},{output}");
        }
        start_ms += seconds * 1_000;
    }
    text
}

/// The text of `traces/surge-jobs.csv`.
pub fn surge_jobs() -> String {
    let mut draw = Draw(SEED);
    let mut text = "submit_s,vc,gpus,duration_s\n".to_string();
    for (jobs, hour) in JOBS_AN_HOUR.into_iter().zip(0u64..) {
        let mut times: Vec<u64> = (0..jobs).map(|_| hour * 3_600 + draw.below(3_600)).collect();
        times.sort_unstable();
        for submit_s in times {
            let vc = ["research", "applied", "safety"][draw.below(3) as usize];
            let gpus = GPUS[draw.below(16) as usize];
            let _ = writeln!(text, "{submit_s},{vc},{gpus},{}", 300 + draw.below(120) * draw.below(120));
        }
    }
    text
}
