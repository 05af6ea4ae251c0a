//! Health and metrics of runs into a real Apache Kafka: `make test-kafka` starts one, exports its address and runs what is
//! ignored here. What topics hold is counted by kcat, and Prometheus' own tool reads the metrics.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::{OwnBroker, bootstrap, kafka_tool, succeed, topic_flags};
use mock_data_gen::generator::timestamp::Timestamp;

const TOPICS: [&str; 4] = ["bid-requests", "bid-responses", "impressions", "clicks"];

/// A run that listens on a port of its own. It is killed where a test ends before it does.
struct Run {
    child: Child,
    address: SocketAddr,
    /// What it says after its address, as it comes.
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Run {
    fn start(bootstrap: &str, prefix: &str, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.args(["--listen", "127.0.0.1:0", "--bootstrap-servers", bootstrap]);
        command.args(topic_flags(prefix)).args(args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("health and metrics at http://").unwrap_or_else(|| panic!("{line}"));
        let said = Arc::new(Mutex::new(String::new()));
        let reader = thread::spawn({
            let said = Arc::clone(&said);
            move || {
                for line in stderr.lines() {
                    said.lock().unwrap().push_str(&(line.unwrap() + "\n"));
                }
            }
        });
        Self { address: address.parse().unwrap(), child, said, reader: Some(reader) }
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        let connected = TcpStream::connect(self.address);
        let mut stream = connected.unwrap_or_else(|error| panic!("{error}: {}", self.said.lock().unwrap()));
        stream.set_read_timeout(Some(limit(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        if let Err(error) = stream.read_to_string(&mut text) {
            // Most likely the run has ended, and is about to say why.
            thread::sleep(Duration::from_secs(1));
            panic!("{error}: {}", self.said.lock().unwrap());
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn metrics(&self) -> String {
        self.get("/metrics").1
    }

    fn sample(&self, name: &str) -> u64 {
        sample(&self.metrics(), name)
    }

    /// Waits until something holds, for `limit` at most.
    fn wait(&self, what: &str, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            assert!(
                begin.elapsed() < limit,
                "not {what} after {limit:?}: {:?}\n{}",
                self.get("/readyz"),
                self.metrics()
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn signal(&self, signal: &str) {
        succeed(Command::new("kill").args([signal, &self.child.id().to_string()]));
    }

    /// Waits for the end: exit code and the rest of standard error.
    fn end(mut self) -> (Option<i32>, String) {
        self.reader.take().unwrap().join().unwrap();
        (self.child.wait().unwrap().code(), self.said.lock().unwrap().clone())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sample(metrics: &str, name: &str) -> u64 {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not in\n{metrics}")).parse().unwrap()
}

/// Records and payload bytes of a topic, by kcat.
fn counted_by_kcat(bootstrap: &str, topic: &str) -> (u64, u64) {
    let args = ["-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%S\n"];
    let text = succeed(Command::new("kcat").args(args));
    let sizes: Vec<u64> = text.lines().map(|size| size.parse().unwrap()).collect();
    (sizes.len() as u64, sizes.iter().sum())
}

/// What the counters say of a topic.
fn acked(metrics: &str, topic: &str) -> (u64, u64) {
    let of = |family: &str| sample(metrics, &format!("{family}{{topic=\"{topic}\"}}"));
    (of("mdg_records_acked_total"), of("mdg_bytes_acked_total"))
}

/// A live run of one auction in a thousand seconds, which begins 23 days ago: two thousand auctions at once, and then so long a
/// silence that what is counted stands still.
fn backfill_then_silence(prefix: &str) -> Run {
    let from = Timestamp(mock_data_gen::player::pace::wall_clock_us() / 1_000 - 2_000_000_000).to_string();
    // So many clicks that their topic holds some too.
    let rates = ["--events-per-second", "0.001", "--click-rate", "0.5"];
    let run = Run::start(&bootstrap(), prefix, &[&["--from", &from], &rates[..]].concat());
    let requests = "mdg_records_released_total{stage=\"request\"}";
    run.wait("through its backfill", limit(60), |run| run.sample(requests) >= 1_999);
    run.wait("acknowledged", limit(60), |run| run.sample("mdg_queue_records") == 0);
    run
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn the_counters_are_what_kcat_counts_in_the_topics() {
    let run = backfill_then_silence("counted");
    // Should a record be due just now, the counters move, and it is counted again.
    let (before, seen) = loop {
        let before = run.metrics();
        let seen = TOPICS.map(|topic| counted_by_kcat(&bootstrap(), &format!("counted-{topic}")));
        let still = |topic: &str| acked(&before, topic) == acked(&run.metrics(), topic);
        if TOPICS.iter().all(|topic| still(&format!("counted-{topic}"))) {
            break (before, seen);
        }
    };
    for (topic, seen) in TOPICS.iter().zip(seen) {
        assert!(seen.0 > 0, "{topic} is empty");
        assert_eq!(acked(&before, &format!("counted-{topic}")), seen, "{topic}");
    }
    assert_eq!(run.get("/readyz"), (200, "running\n".to_owned()));
    run.signal("-TERM");
    let (code, text) = run.end();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
#[ignore = "needs promtool: make test-kafka"]
fn prometheus_own_tool_finds_nothing_to_say_about_the_metrics() {
    let check = |metrics: &str| {
        let mut promtool = Command::new("promtool");
        promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut promtool = promtool.spawn().unwrap();
        promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let metrics = backfill_then_silence("linted").metrics();
    assert_eq!(check(&metrics), (Some(0), String::new()));
    // It would have found something.
    let (code, said) = check(&metrics.replace("mdg_records_acked_total", "mdg_records_acked"));
    assert!(code != Some(0) && said.contains("_total"), "{said}");
}

/// A broker that stands still until this is dropped: one that is stopped could not be ended either.
struct Still<'a>(&'a OwnBroker);

impl<'a> Still<'a> {
    fn make(broker: &'a OwnBroker) -> Self {
        broker.signal("-STOP");
        Self(broker)
    }
}

impl Drop for Still<'_> {
    fn drop(&mut self) {
        self.0.signal("-CONT");
    }
}

/// The limit is 30 s, so the broker stands still for a little longer: readiness is asked each second until it is lost.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_broker_that_stands_still_makes_a_run_unready_until_it_goes_on() {
    let broker = OwnBroker::start();
    let paced = Run::start(&broker.bootstrap, "paced", &["--events-per-second", "50"]);
    let fast = Run::start(&broker.bootstrap, "fast", &["--fast", "--count", "100000000"]);
    let shown = thread::spawn({
        let bootstrap = broker.bootstrap.clone();
        move || on_a_terminal(&bootstrap)
    });
    for (run, prefix) in [(&paced, "paced"), (&fast, "fast")] {
        let acked = format!("mdg_records_acked_total{{topic=\"{prefix}-bid-requests\"}}");
        run.wait("acknowledged", limit(60), |run| run.sample(&acked) > 0);
        assert_eq!(run.get("/readyz").0, 200);
    }
    thread::sleep(Duration::from_secs(2));
    let still = Still::make(&broker);
    let stopped = Instant::now();
    while [&paced, &fast].iter().any(|run| run.get("/readyz").0 == 200) {
        assert!(stopped.elapsed() < limit(60), "still ready");
        for run in [&paced, &fast] {
            assert_eq!(run.get("/livez").0, 200, "{}", run.metrics());
        }
        thread::sleep(Duration::from_secs(1));
    }
    assert!(stopped.elapsed() > Duration::from_secs(28), "unready after {:?} already", stopped.elapsed());
    for run in [&paced, &fast] {
        let (status, body) = run.get("/readyz");
        assert!(status == 503 && body.starts_with("no acknowledgement for 3"), "{status} {body}");
    }
    // Half a minute of 84 records a second; and a full queue, which takes nothing more.
    assert!(paced.sample("mdg_queue_records") > 1_000, "{}", paced.metrics());
    let full = fast.sample("mdg_queue_records");
    assert!(full > 50_000 && full == fast.sample("mdg_queue_records"), "{full}");
    drop(still);
    for run in [&paced, &fast] {
        run.wait("ready again", limit(60), |run| run.get("/readyz").0 == 200);
    }
    paced.wait("caught up", limit(60), |run| run.sample("mdg_queue_records") < 100);
    drop(fast);
    paced.signal("-TERM");
    let (code, text) = paced.end();
    assert_eq!(code, Some(0), "{text}");
    assert_not_torn(&shown.join().unwrap());
}

/// What a terminal is sent by a run without end, until it is told to stop.
fn on_a_terminal(bootstrap: &str) -> String {
    let (program, topics) = (env!("CARGO_BIN_EXE_mock-data-gen"), topic_flags("shown").join(" "));
    let line = format!(
        "exec timeout --foreground -s INT 60 {program} --bootstrap-servers {bootstrap} {topics} --events-per-second 50"
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).env("TERM", "xterm").env_remove("RUST_LOG");
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// Warnings stand at the beginning of a line of their own, and the status tells of acknowledgements and of what waits.
fn assert_not_torn(shown: &str) {
    let colour = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    let text = colour.replace_all(shown, "");
    let warnings: Vec<&str> =
        text.split(['\r', '\n']).filter(|line| line.contains("no acknowledgement for 10 s")).collect();
    assert!(!warnings.is_empty(), "{shown:?}");
    for warning in warnings {
        let warning = warning.trim_start_matches("\x1b[2K").trim_start();
        assert!(warning.starts_with("WARN kafka: ") && warning.contains("nothing is lost"), "{warning:?}");
    }
    // How many wait at the moment of a look is chance.
    let status = regex::Regex::new(" records/s, .* [1-9][0-9,]* acked, [0-9,]+ queued").unwrap();
    assert!(status.is_match(&text), "{shown:?}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_broker_that_is_gone_is_counted_by_code_and_a_stop_drains_in_the_open() {
    let broker = OwnBroker::start();
    let run = Run::start(&broker.bootstrap, "gone", &["--events-per-second", "200"]);
    run.wait("ready", limit(60), |run| run.sample("mdg_records_acked_total{topic=\"gone-bid-requests\"}") > 0);
    assert!(!run.metrics().contains("mdg_client_errors_total{"), "{}", run.metrics());
    broker.signal("-KILL");
    let counted = |run: &Run| run.metrics().contains("mdg_client_errors_total{code=\"_TRANSPORT\"} ");
    run.wait("counting errors", limit(60), counted);
    assert_eq!(run.get("/livez").0, 200);
    run.wait("waiting", limit(60), |run| run.sample("mdg_queue_records") > 0);
    run.signal("-TERM");
    // The program gives up after 3.5 s; until then it answers.
    run.wait("draining", limit(3), |run| run.get("/readyz") == (503, "draining\n".to_owned()));
    assert_eq!(run.get("/livez"), (200, "draining\n".to_owned()));
    assert_eq!(run.sample("mdg_state{state=\"draining\"}"), 1);
    let (code, text) = run.end();
    assert_eq!(code, Some(3), "{text}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn partitions_with_too_few_replicas_in_sync_are_told_by_name_while_others_go_on() {
    let mut script = Command::new("tests/kafka/broker");
    let cluster = OwnBroker::start_by(script.env("KAFKA_NODES", "3"));
    let topics = TOPICS.map(|topic| format!("stalled-{topic}"));
    for topic in &topics {
        // Of two replicas two must be in sync: broker 3 is missed by the third partition alone, and leads none.
        let create = ["TopicCommand", "--bootstrap-server", &cluster.bootstrap, "--create", "--topic", topic];
        let how = ["--replica-assignment", "1:2,2:1,2:3", "--config", "min.insync.replicas=2"];
        kafka_tool(&[&create[..], &how].concat());
    }
    let run = Run::start(&cluster.bootstrap, "stalled", &["--events-per-second", "100"]);
    run.wait("acknowledged", Duration::from_secs(120), |run| acked(&run.metrics(), "stalled-bid-requests").0 > 1_000);
    let third = cluster.pids().split(' ').nth(2).unwrap().to_owned();
    succeed(Command::new("kill").args(["-KILL", &third]));
    run.wait("stalled", Duration::from_secs(120), |run| run.sample("mdg_stalled_partitions") > 0);
    run.wait("unready", Duration::from_secs(120), |run| run.get("/readyz").0 == 503);
    let (_, body) = run.get("/readyz");
    assert!(body.contains("partitions, while others go on"), "{body}");
    // Those that have their replicas do go on.
    let before = acked(&run.metrics(), "stalled-bid-requests").0;
    run.wait("going on", Duration::from_secs(60), |run| acked(&run.metrics(), "stalled-bid-requests").0 > before + 100);
    run.signal("-TERM");
    let (code, text) = run.end();
    assert_eq!(code, Some(3), "{text}");
    let why = "1 of 2 replicas in sync, and min.insync.replicas=2: broker 2 refuses records until more are (NOT_ENOUGH_REPLICAS)";
    // The replica counts as in sync for 30 s after its broker is gone.
    let told = "`stalled-bid-requests`, partition 2: no acknowledgement for ";
    let is_told = |line: &str| line.contains(told) && line.contains(" s while others go on: ") && line.contains(why);
    assert!(text.lines().any(is_told), "not told by name, or without the reason: {text}");
    // Broker 2 leads partition 1, too, and answers the requests of a connection one after the other.
    assert!(!text.contains("partition 0: no ack"), "{text}");
}
