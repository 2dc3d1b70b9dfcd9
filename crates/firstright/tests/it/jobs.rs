//! Does a job go to whom the law gives it, run, and come back from whatever happens to it? With real processes on a
//! book of their own, spoken to by the command line.

mod crash;
mod measure;
mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use server::{Server, job, pool_law, until};

#[test]
fn an_accepted_offer_runs_at_its_holder_and_completes() {
    let server = Server::start("accept", &pool_law("60s"));
    let id = server.submit(&job("count = 8\ncommand = \"echo hello from $FIRSTRIGHT_PROVIDER; sleep 0.4\""));
    assert_eq!(server.job(id)["state"], "offered");
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    let done = server.wait(id, "completed");
    assert_eq!(done["leases"][0]["place"], "azure-east/h100");
    assert_eq!(done["offers"][0]["state"], "accepted");
    assert_eq!(server.ok(&["logs", "1"]), "hello from azure-east\n");
    // Eight accelerators for at least 0.4 s are at least 3 whole accelerator-seconds; a slow machine makes it more.
    let seconds = done["accelerator-seconds"].as_u64().unwrap();
    assert!((3..8 * 60).contains(&seconds), "{seconds}");
    assert!(done["cost"].as_str().unwrap().ends_with(" USD"), "{done}");
    assert!(done["why"][1].as_str().unwrap().contains("holder under deal/first"), "{done}");
    server.verify();
}

#[test]
fn a_declined_offer_goes_to_the_market() {
    let server = Server::start("decline", &pool_law("60s"));
    let id = server.submit(&job("count = 64\ncommand = [\"true\"]"));
    server.ok(&["answer", "1", "decline", "no room until June", "--as", "azure"]);
    let done = server.wait(id, "completed");
    assert_eq!(done["leases"][0]["place"], "oracle-east/h100");
    assert_eq!(done["offers"][0]["state"], "declined");
    assert_eq!(done["offers"][0]["answer"], "no room until June");
    assert!(done["why"].to_string().contains("offer 1 declined [FR-7]"), "{done}");
    server.verify();
}

#[test]
fn silence_is_an_answer() {
    let server = Server::start("silence", &pool_law("1s"));
    let id = server.submit(&job("count = 64\ncommand = [\"true\"]"));
    let done = server.wait(id, "completed");
    assert_eq!(done["leases"][0]["place"], "oracle-east/h100");
    assert_eq!(done["offers"][0]["state"], "lapsed");
    let late = server.fails(&["answer", "1", "accept", "--as", "azure"]);
    assert!(late.contains("[FR-11]"), "{late}");
}

#[test]
fn a_part_stays_and_the_rest_goes_on() {
    let mut server = Server::start("partial", &pool_law("60s"));
    let text = job("count = 64\nmin-chunk = 16\ncommand = \"echo $FIRSTRIGHT_PIECE > piece; sleep 0.2\"");
    let id = server.submit(&text);
    let refused = server.fails(&["answer", "1", "partial", "60", "--as", "azure"]);
    assert!(refused.contains("[FR-9]"), "{refused}");
    let theirs = server.fails(&["answer", "1", "accept", "--as", "oracle"]);
    assert!(theirs.contains("[FR-11]"), "{theirs}");
    server.ok(&["answer", "1", "partial", "48", "--as", "azure"]);
    let done = server.wait(id, "completed");
    let leases: Vec<_> = done["leases"].as_array().unwrap().iter().collect();
    let shown: Vec<_> =
        leases.iter().map(|one| (one["place"].as_str().unwrap(), one["count"].as_u64())).collect();
    assert_eq!(shown, [("azure-east/h100", Some(48)), ("oracle-east/h100", Some(16))]);
    assert_eq!(done["offers"][0]["state"], "accepted in part");
    for (piece, folder) in ["checkpoint", "checkpoint-2"].iter().enumerate() {
        let written = fs::read_to_string(server.job_folder(id).join(folder).join("piece")).unwrap();
        assert_eq!(written, format!("{piece}\n"));
    }
    let offers = server.json(&["offers"]);
    server.restart();
    assert_eq!(
        (server.job(id), server.json(&["offers"])),
        (done, offers),
        "the journal brings back what was shown"
    );
}

#[test]
fn a_counter_is_for_the_operator_to_agree() {
    let server = Server::start("counter", &pool_law("60s"));
    let id = server.submit(&job("count = 64\nmin-chunk = 16\ncommand = [\"true\"]"));
    server.ok(&["answer", "1", "counter", "--count", "32", "--hour", "2.60 USD", "--as", "azure"]);
    let offer = &server.json(&["offers"])[0];
    assert_eq!(
        (offer["state"].as_str(), offer["counter"]["hour"].as_str()),
        (Some("countered"), Some("2.60 USD"))
    );
    server.ok(&["counter", "1", "refuse"]);
    assert_eq!(server.json(&["offers"])[0]["state"], "open");
    server.ok(&["answer", "1", "counter", "--count", "32", "--hour", "2.70 USD", "--as", "azure"]);
    server.ok(&["counter", "1", "agree"]);
    let done = server.wait(id, "completed");
    assert_eq!(done["leases"][0]["hour"], "2.70 USD");
    assert_eq!((&done["leases"][0]["count"], &done["leases"][1]["count"]), (&32.into(), &32.into()));
}

#[test]
fn a_killed_process_resumes_where_it_was() {
    let server = Server::start("killed", &pool_law("60s"));
    let id = server.submit(&job(
        "count = 8\ncommand = '''echo step >> steps; test $FIRSTRIGHT_ATTEMPT = 2 || exec sleep 600'''",
    ));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.steps(id) == 1);
    server.kill(id, 1);
    let done = server.wait(id, "completed");
    let leases = done["leases"].as_array().unwrap();
    assert_eq!((&leases[0]["state"], &leases[1]["state"]), (&"interrupted".into(), &"completed".into()));
    assert_eq!((&leases[1]["place"], &leases[1]["attempt"]), (&"azure-east/h100".into(), &2.into()));
    assert_eq!(leases[1]["resumes"], 1);
    assert_eq!(server.steps(id), 2);
    assert_eq!(server.token(id), "2\n");
    assert!(leases[1]["why"].to_string().contains("[FR-18]"), "{done}");
    assert_eq!(done["offers"].as_array().unwrap().len(), 1, "the same lease is no new trigger");
    server.verify();
}

#[test]
fn a_follower_sees_every_attempt() {
    let server = Server::start("follow", &pool_law("60s"));
    let id = server.submit(&job(
        "count = 8\ncommand = '''echo try $FIRSTRIGHT_ATTEMPT; echo step >> steps; test $FIRSTRIGHT_ATTEMPT = 2 || exec sleep 600'''",
    ));
    assert!(server.fails(&["logs", "1"]).contains("job 1 has no such lease"));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.ok(&["logs", "1"]) == "try 1\n" && server.steps(id) == 1);
    std::thread::scope(|scope| {
        let following = scope.spawn(|| server.ok(&["logs", "1", "--lease", "1", "--follow"]));
        let all = scope.spawn(|| server.ok(&["logs", "1", "--follow"]));
        // Both are held by the server, in the midst of the first attempt.
        std::thread::sleep(Duration::from_millis(300));
        server.kill(id, 1);
        assert_eq!(following.join().unwrap(), "try 1\n");
        assert_eq!(all.join().unwrap(), "try 1\ntry 2\n");
    });
}

#[test]
fn a_lost_provider_s_job_resumes_elsewhere_from_its_checkpoint() {
    let server = Server::start("lost", &pool_law("60s"));
    let id = server.submit(&job(
        "count = 8\ncommand = '''echo step >> steps; test $FIRSTRIGHT_PROVIDER = oracle-east || exec sleep 600'''",
    ));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.steps(id) == 1);
    let process = server.process(id, 1);
    server.ok(&["provider", "lose", "azure-east"]);
    let done = server.wait(id, "completed");
    assert!(!server::runs(process), "nothing is left of the lost lease");
    let leases = done["leases"].as_array().unwrap();
    assert_eq!((&leases[0]["state"], &leases[1]["state"]), (&"lost".into(), &"completed".into()));
    assert_eq!((&leases[1]["place"], &leases[1]["resumes"]), (&"oracle-east/h100".into(), &1.into()));
    assert_eq!(server.steps(id), 2, "from the same checkpoint folder");
    let declared = server.fails(&["provider", "declare", "azure-est", "h100", "64"]);
    assert!(declared.contains("did you mean `azure-east`?"), "{declared}");
    server.ok(&["provider", "declare", "azure-east", "h100", "64"]);
    server.verify();
}

#[test]
fn a_cancelled_job_may_say_goodbye() {
    let server = Server::start("cancel", &pool_law("60s"));
    let id = server.submit(&job(
        "count = 8\ncommand = '''trap 'echo saved; exit 0' TERM; echo step >> steps; while :; do sleep 0.05; done'''",
    ));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.steps(id) == 1);
    server.ok(&["cancel", "1"]);
    let done = server.wait(id, "cancelled");
    assert_eq!(done["leases"][0]["state"], "cancelled");
    let log = server.ok(&["logs", "1", "--follow"]);
    assert!(log.ends_with("saved\n"), "{log}");
    assert!(server.fails(&["cancel", "1"]).contains("nothing of that name is open"));
    assert!(server.fails(&["cancel", "7"]).contains("there is no job 7"));
}

#[test]
fn a_stubborn_process_is_killed_after_the_grace() {
    let server = Server::start("stubborn", &pool_law("60s"));
    let id = server.submit(&job("count = 8\ncommand = '''trap '' TERM; echo step >> steps; sleep 600'''"));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.steps(id) == 1);
    let process = server.process(id, 1);
    server.ok(&["cancel", "1"]);
    server.wait(id, "cancelled");
    assert!(!server::runs(process));
}

#[test]
fn a_restart_takes_up_what_runs() {
    let mut server = Server::start("adopt", &pool_law("60s"));
    let id = server.submit(&job(
        "count = 8\ncommand = '''echo step >> steps; while ! test -e go; do sleep 0.05; done; echo done'''",
    ));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.steps(id) == 1);
    let process = server.process(id, 1);
    server.restart();
    assert!(server::runs(process), "it outlives Firstright");
    assert_eq!(server.job(id)["state"], "running");
    fs::write(server.job_folder(id).join("checkpoint/go"), "").unwrap();
    let done = server.wait(id, "completed");
    assert_eq!(
        (server.steps(id), done["leases"].as_array().unwrap().len()),
        (1, 1),
        "one process, one lease"
    );
    assert_eq!(server.ok(&["logs", "1"]), "done\n");
    server.verify();
}

#[test]
fn a_restart_finds_what_ended_meanwhile() {
    let mut server = Server::start("ended", &pool_law("60s"));
    let text =
        "count = 8\ncommand = '''echo step >> steps; while ! test -e go; do sleep 0.05; done; exit CODE'''";
    for (nth, code) in ["0", "3"].into_iter().enumerate() {
        let id = server.submit(&job(&text.replace("CODE", code)));
        server.ok(&["answer", &(nth + 1).to_string(), "accept", "--as", "azure"]);
        until("it runs", || server.steps(id) == 1);
    }
    server.stop();
    for (id, lease) in [(1, 1), (2, 2)] {
        fs::write(server.job_folder(id).join("checkpoint/go"), "").unwrap();
        until("it ended", || server.job_folder(id).join(format!("lease-{lease}.exit")).exists());
    }
    server.go_on();
    server.wait(1, "completed");
    let failed = server.wait(2, "failed");
    assert_eq!(failed["leases"][0]["state"], "failed (3)");
    assert_eq!((server.steps(1), server.steps(2)), (1, 1), "what is done is not done again");
    server.verify();
}

#[test]
fn a_restart_resumes_what_died_meanwhile() {
    let mut server = Server::start("died", &pool_law("60s"));
    let id = server.submit(&job(
        "count = 8\ncommand = '''echo step >> steps; test $FIRSTRIGHT_ATTEMPT = 2 || exec sleep 600'''",
    ));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it runs", || server.steps(id) == 1);
    server.stop();
    server.kill(id, 1);
    server.go_on();
    let done = server.wait(id, "completed");
    assert_eq!(done["leases"][0]["state"], "interrupted");
    assert_eq!((&done["leases"][1]["attempt"], server.steps(id)), (&2.into(), 2));
    server.verify();
}

#[test]
fn a_lease_that_was_not_started_is_started_after_a_restart() {
    let mut server = Server::start("unstarted", &pool_law("60s"));
    server.config.max_processes = 0;
    server.restart();
    let id = server.submit(&job("count = 8\ncommand = \"echo step >> steps\""));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it is placed", || server.job(id)["state"] == "starting");
    server.config.max_processes = 1;
    server.restart();
    server.wait(id, "completed");
    assert_eq!(server.steps(id), 1);
}

#[test]
fn leases_beyond_the_limit_wait_for_one_to_end() {
    let mut server = Server::start("limit", &pool_law("60s"));
    server.config.max_processes = 1;
    server.restart();
    let text = job("count = 8\ncommand = '''echo step >> steps; while ! test -e go; do sleep 0.05; done'''");
    for nth in ["1", "2", "3"] {
        server.submit(&text);
        server.ok(&["answer", nth, "accept", "--as", "azure"]);
    }
    until("the first runs", || server.steps(1) == 1);
    assert_eq!((server.job(2)["state"].as_str(), server.steps(2)), (Some("starting"), 0));
    server.ok(&["cancel", "2"]);
    server.wait(2, "cancelled");
    fs::write(server.job_folder(1).join("checkpoint/go"), "").unwrap();
    until("the third runs", || server.steps(3) == 1);
    assert_eq!((server.job(1)["state"].as_str(), server.steps(2)), (Some("completed"), 0));
}

#[test]
fn a_second_process_for_a_lease_goes_away() {
    let mut server = Server::start("second", &pool_law("60s"));
    server.config.max_processes = 0;
    server.restart();
    let id = server.submit(&job("count = 8\ncommand = \"echo step >> steps\""));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    until("it is placed", || server.job(id)["state"] == "starting");
    server.stop();
    // A start that nobody saw: its pid file is there before the restart looks, and what it names is long gone.
    fs::write(server.job_folder(id).join("lease-1.pid"), "1 1 another-boot\n").unwrap();
    server.config.max_processes = 8;
    server.go_on();
    let done = server.wait(id, "completed");
    assert_eq!(
        done["leases"][0]["state"], "interrupted",
        "it may have run: it is resumed, not started again"
    );
    assert_eq!(done["leases"][1]["attempt"], 2);
    assert_eq!(server.steps(id), 1);
}

#[test]
fn what_a_job_leaves_running_ends_with_it() {
    let server = Server::start("daemon", &pool_law("60s"));
    let id = server.submit(&job("count = 8\ncommand = '''sleep 600 & echo $! > steps; exit 0'''"));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    server.wait(id, "completed");
    let left = fs::read_to_string(server.job_folder(id).join("checkpoint/steps")).unwrap();
    assert!(!server::runs(left.trim().parse().unwrap()));
}

#[test]
fn a_log_has_an_end_and_the_environment_no_secrets() {
    let mut server = Server::start("log", &pool_law("60s"));
    server.config.max_log_bytes = 64 << 10;
    server.restart();
    let id = server.submit(&job(
        "count = 8\ncommand = '''env; head -c 1000000 /dev/zero | tr '\\0' x; echo step >> steps'''",
    ));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    server.wait(id, "completed");
    assert_eq!(server.steps(id), 1, "a full log does not stop the job");
    let log = server.ok(&["logs", "1"]);
    assert!((64 << 10..(64 << 10) + 200).contains(&log.len()), "{}", log.len());
    assert!(log.trim_end().ends_with("the log is full at 65536 bytes; the rest is not kept"));
    let keys: Vec<&str> = log.lines().filter_map(|line| line.split_once('=')).map(|(key, _)| key).collect();
    assert!(keys.contains(&"FIRSTRIGHT_LEASE") && keys.contains(&"PATH"), "{keys:?}");
    assert!(!keys.iter().any(|key| key.starts_with("CARGO") || key.starts_with("RUST")), "{keys:?}");
}

#[test]
fn nothing_is_said_without_the_token() {
    let server = Server::start("token", &pool_law("60s"));
    server.submit(&job("count = 8\ncommand = [\"true\"]"));
    let ask = |line: &str, token: &str| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n{token}\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let lines = [
        "GET /admin/jobs",
        "POST /admin/jobs",
        "GET /admin/jobs/1",
        "DELETE /admin/jobs/1",
        "GET /admin/jobs/1/logs",
        "GET /admin/offers",
        "POST /admin/offers/1/answer",
        "POST /admin/offers/1/counter",
        "POST /admin/jobs/1/quotes",
        "POST /admin/providers/azure-east/lose",
        "POST /admin/providers/azure-east/declare",
        "GET /",
        "GET /nothing",
    ];
    for line in lines {
        for token in ["", "authorization: Bearer wrong\r\n", "authorization: Basic eDp4\r\n"] {
            let answer = ask(line, token);
            assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("no-token"), "{line}: {answer}");
        }
    }
    assert_eq!(server.job(1)["state"], "offered", "nothing was done");
    let file = server.data().join("admin.toml");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let wrong = server.with_env(&["jobs"], &[("FIRSTRIGHT_ADMIN_TOKEN", "0123456789abcdef0123")]);
    assert!(wrong.contains("the token is missing or wrong"), "{wrong}");
}

#[test]
fn a_bad_job_file_is_explained() {
    let server = Server::start("bad-file", &pool_law("60s"));
    let problem =
        server.fails_file("name = \"a\"\ntenant = \"research\"\ncount = 8\nhour = 1\ncommand = [\"true\"]\n");
    assert!(problem.contains("job.toml:4:1: error[unknown-key]: a job has no key `hour`"), "{problem}");
    assert!(problem.contains("did you mean `hours`?"), "{problem}");
    let problem = server.fails_file(&job("count = 8\naccelerators = [\"h10\"]\ncommand = [\"true\"]"));
    assert!(problem.contains("no provider has the accelerator `h10`"), "{problem}");
    assert!(problem.contains("did you mean `h100`?"), "{problem}");
    assert!(server.json(&["jobs"]).as_array().unwrap().is_empty(), "nothing was submitted");
}

#[test]
fn a_command_says_how_it_failed() {
    let server = Server::start("missing", &pool_law("60s"));
    let id = server.submit(&job("count = 8\ncommand = [\"/no/such/program\"]"));
    server.ok(&["answer", "1", "accept", "--as", "azure"]);
    let failed = server.wait(id, "failed");
    assert_eq!(failed["leases"][0]["state"], "failed (127)");
    let log = server.ok(&["logs", "1"]);
    assert!(log.contains("/no/such/program"), "{log}");
    let table = server.ok(&["jobs", "1"]);
    assert!(table.contains("LEASE") && table.contains("azure-east/h100") && table.contains("WHY"), "{table}");
}

#[test]
fn a_firm_quote_decides_the_price() {
    let server = Server::start("quote", &pool_law("60s"));
    let id = server.submit(&job("count = 8\ncommand = [\"true\"]"));
    let body = r#"{"provider":"oracle-east","hour":"1.75 USD","until":"2100-01-01T00:00:00Z"}"#;
    assert_eq!(server.post("/admin/jobs/1/quotes", body).0, 200);
    let wrong = server.post("/admin/jobs/1/quotes", r#"{"provider":"oracle-east","price":"1 USD"}"#);
    assert!(wrong.0 == 400 && wrong.1.contains("unknown field `price`"), "{wrong:?}");
    assert_eq!(server.post("/admin/offers/9/answer", r#"{"by":"azure","answer":"accept"}"#).0, 404);
    assert_eq!(server.post("/admin/offers/1/answer", r#"{"by":"azure","answer":"partial"}"#).0, 400);
    assert_eq!(server.post("/admin/jobs", &"x".repeat(70 << 10)).0, 413);
    server.ok(&["answer", "1", "decline", "--as", "azure"]);
    let done = server.wait(id, "completed");
    assert_eq!(done["leases"][0]["hour"], "1.75 USD");
}

#[test]
fn a_command_can_wait_and_finds_its_server_by_the_environment() {
    let server = Server::start("wait", &pool_law("200s"));
    let data = server.data().display().to_string();
    fs::write(server.data().join("job.toml"), job("count = 128\ncommand = [\"true\"]")).unwrap();
    let file = format!("{data}/job.toml");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.fails(&["submit", &file, "--wait"]));
        until("it is offered", || server.json(&["offers"]).as_array().unwrap().len() == 1);
        server.ok(&["cancel", "1"]);
        let said = waiting.join().unwrap();
        assert!(said.contains("job 1 is not completed: it is cancelled"), "{said}");
    });
    assert_eq!(server.json(&["offers"])[0]["state"], "withdrawn");
    let address = server.address().to_string();
    let env = [("FIRSTRIGHT_ADMIN", address.as_str()), ("FIRSTRIGHT_ADMIN_TOKEN", "a-token-for-tests-only")];
    assert!(server.without_data(&["jobs"], &env).contains("cancelled"));
}
