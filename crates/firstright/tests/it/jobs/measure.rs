//! How fast is it? Run by hand: `cargo test -p firstright --test it --release -- --ignored --nocapture measure`.

use std::fs;
use std::time::Instant;

use firstright_core::fact::OfferId;
use firstright_dispatch::Reply;

use super::server::{Server, job, pool_law, until};

/// Jobs at once: one accelerator each, all that the holder has.
const JOBS: u64 = 64;

#[test]
#[ignore = "a measurement"]
fn measure_submit_start_watch_and_restart() {
    let mut server = Server::start("measure", &pool_law("600s"));
    let plane = server.plane();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = job("count = 1\ncommand = '''echo step >> steps; while ! test -e go; do sleep 1; done'''");
    let began = Instant::now();
    runtime.block_on(async {
        for _ in 0..JOBS {
            plane.submit("job.toml".to_string(), text.clone()).await.unwrap();
        }
    });
    println!("submit, folder written and record on disk: {:?} each", began.elapsed() / JOBS as u32);
    let began = Instant::now();
    runtime.block_on(async {
        for offer in 1..=JOBS {
            plane.answer(OfferId(offer), "azure".to_string(), Reply::Accept).await.unwrap();
        }
    });
    until("all run", || (1..=JOBS).all(|id| server.steps(id) == 1));
    println!("accept to running process: {:?} each", began.elapsed() / JOBS as u32);
    let (before, wall) = (ticks(), Instant::now());
    std::thread::sleep(std::time::Duration::from_secs(5));
    let used = (ticks() - before) as f64 / 100.0;
    println!("watching {JOBS} processes: {:.1} % of one core", 100.0 * used / wall.elapsed().as_secs_f64());
    drop(plane);
    let began = Instant::now();
    server.restart();
    until("all are taken up", || server.job(JOBS)["state"] == "running");
    println!("restart to all taken up: {:?}", began.elapsed());
    for id in 1..=JOBS {
        fs::write(server.job_folder(id).join("checkpoint/go"), "").unwrap();
    }
    for id in 1..=JOBS {
        server.wait(id, "completed");
        assert_eq!(server.steps(id), 1);
    }
    server.verify();
}

/// This process's own processor time, in hundredths of a second.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
