//! What if Firstright itself is killed, at any moment? A job that was taken runs once, and is never lost.

use std::fs;
use std::process::Child;
use std::time::Duration;

use firstright_dispatch::Config;

use super::server::{Server, job, pool_law, serve, until};

/// The book's folder, for the server's process.
pub const BOOK: &str = "FIRSTRIGHT_TEST_BOOK";
/// Its law.
pub const LAW: &str = "FIRSTRIGHT_TEST_LAW";

/// Not a test: the process that the test below kills.
#[test]
#[ignore = "run by the test that kills it"]
fn a_server_to_be_killed() {
    let (Ok(book), Ok(law)) = (std::env::var(BOOK), std::env::var(LAW)) else { return };
    let config = Config { meter_every: Duration::from_millis(50), ..Config::new(book) };
    let _running = serve(&law, config);
    loop {
        std::thread::park();
    }
}

fn kill(mut server: Child) {
    // SIGKILL: nothing is flushed, closed or said.
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_server_that_is_killed_loses_no_job_and_runs_none_twice() {
    let mut book = Server::start("crash", &pool_law("600s"));
    let text =
        job("count = 1\ncommand = '''echo $FIRSTRIGHT_LEASE >> steps; sleep 0.15; echo end >> steps'''");
    let mut jobs = Vec::new();
    for round in 0u64..12 {
        let server = book.in_own_process();
        let id = book.submit(&text);
        book.ok(&["answer", &id.to_string(), "accept", "--as", "azure"]);
        jobs.push(id);
        // From before the process is begun to after it has ended, a different moment each round.
        std::thread::sleep(Duration::from_millis(round * 25));
        kill(server);
    }
    book.go_on();
    for id in jobs {
        let done = book.wait(id, "completed");
        assert_eq!(done["leases"].as_array().unwrap().len(), 1, "{done:#}");
        let steps = fs::read_to_string(book.job_folder(id).join("checkpoint/steps")).unwrap();
        let lease = done["leases"][0]["id"].to_string();
        assert_eq!(steps, format!("{lease}\nend\n"), "one process, once, to its end");
        // One accelerator for about a sixth of a second, whoever watched it.
        assert!(done["accelerator-seconds"].as_u64().unwrap() < 60);
    }
    until("the journal is whole", || book.data().join("journal.frj").exists());
    book.verify();
}

#[test]
fn a_server_that_is_killed_goes_on_cancelling() {
    let mut book = Server::start("crash-cancel", &pool_law("600s"));
    let server = book.in_own_process();
    let id = book.submit(&job("count = 1\ncommand = '''trap '' TERM; echo step >> steps; sleep 600'''"));
    book.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || book.steps(id) == 1);
    // Its own grace is ten seconds, so that it is killed within it.
    book.ok(&["cancel", "1"]);
    kill(server);
    book.go_on();
    let done = book.wait(id, "cancelled");
    assert_eq!(done["leases"][0]["state"], "cancelled");
}
