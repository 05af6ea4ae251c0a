//! Real time on a real Kafka, and what happens to a run when something goes wrong under way: topics that change, clocks that are
//! stepped, a process that stands still, signals at bad moments. `make test-kafka` runs what is ignored here.
//!
//! Whatever happens, what a partition holds is a prefix of its sequence, and what is missing is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::*;
use mock_data_gen::generator::spec::{Epoch, Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::Window;

/// Requests a second: many at once are under way.
const BUSY: &str = "500";
/// Requests a second: nothing happens most of the time.
const IDLE: &str = "5";
/// More requests than any of these tests plays.
const REQUESTS: u64 = 60_000;

/// A stream that begins now.
fn spec(rate: &str) -> StreamSpec {
    let now_ms = mock_data_gen::player::pace::wall_clock_us() / 1_000;
    StreamSpec {
        events_per_second: rate.parse().unwrap(),
        epoch: Epoch::from_ms(now_ms).unwrap(),
        ..StreamSpec::default()
    }
}

/// The program, playing that stream from its beginning into topics of the test's own.
fn play(spec: &StreamSpec, prefix: &str, args: &[&str]) -> Child {
    command(&bootstrap(), spec, prefix, args).spawn().unwrap()
}

fn command(bootstrap: &str, spec: &StreamSpec, prefix: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    let (rate, epoch) = (spec.events_per_second.to_string(), spec.epoch.to_string());
    command
        .args(["--bootstrap-servers", bootstrap, "--events-per-second", &rate, "--epoch", &epoch, "--from", "epoch"])
        .args(topic_flags(prefix))
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn signal(process: &Child, signal: &str) {
    succeed(Command::new("kill").args([signal, &process.id().to_string()]));
}

/// Waits for the end, which must come in time.
fn end_of(mut process: Child, within: Duration) -> Output {
    let within = limit(within.as_secs());
    let begin = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begin.elapsed() > within {
            process.kill().unwrap();
            panic!("still there after {within:?}: {}", stderr(&process.wait_with_output().unwrap()));
        }
        sleep(Duration::from_millis(20));
    }
    process.wait_with_output().unwrap()
}

/// Checks that each partition of these stages holds a prefix of its sequence, and counts the records.
fn count_prefixes(spec: &StreamSpec, layout: &Layout, stages: &[Stage]) -> u64 {
    let expected = expected(spec, layout, Window::auctions(0, REQUESTS));
    let mut count = 0;
    for &stage in stages {
        let topic = layout.topic(stage).name.as_str();
        for (partition, seen) in read_by_kcat(topic) {
            let expected = &expected[stage.index()][&partition];
            for (seen, expected) in seen.iter().zip(expected) {
                assert_eq!(seen, expected, "{topic}/{partition}");
            }
            assert!(seen.len() < expected.len(), "{topic}/{partition}: the test expects too few records");
            count += seen.len() as u64;
        }
    }
    count
}

/// The numbers in `12 of 34 records that were sent are acknowledged`.
fn acknowledged(output: &Output) -> (u64, u64) {
    let text = stderr(output);
    let line = text.lines().find(|line| line.ends_with("records that were sent are acknowledged"));
    let words: Vec<&str> = line.unwrap_or_else(|| panic!("{text}")).split(' ').collect();
    (words[0].parse().unwrap(), words[2].parse().unwrap())
}

fn topic_tool(args: &[&str]) {
    kafka_tool(&[&["TopicCommand", "--bootstrap-server", &bootstrap()], args].concat());
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_topic_that_is_deleted_under_way_ends_the_run() {
    let (spec, layout) = (spec(BUSY), layout("deleted", [6; 4]));
    let mut ours = play(&spec, "deleted", &[]);
    wait_for_records("deleted-bid-responses", &mut ours);
    topic_tool(&["--delete", "--topic", "deleted-bid-responses"]);
    // The client lets 30 s pass from its first sight of a topic before it believes that it has gone.
    let output = end_of(ours, Duration::from_secs(45));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("topic `deleted-bid-responses`, partition"), "{message}");
    assert!(message.contains("is there no more: the topic was deleted while it was written to"), "{message}");
    let (acked, sent) = acknowledged(&output);
    assert!(acked < sent, "{message}");
    let held = count_prefixes(&spec, &layout, &[Stage::Request, Stage::Impression, Stage::Click]);
    assert!(held > 0);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_topic_that_is_deleted_and_created_anew_under_way_ends_the_run() {
    let (spec, layout) = (spec(BUSY), layout("reborn", [6; 4]));
    let mut ours = play(&spec, "reborn", &[]);
    wait_for_records("reborn-bid-responses", &mut ours);
    sleep(Duration::from_secs(1));
    topic_tool(&["--delete", "--topic", "reborn-bid-responses"]);
    // Kafka forgets a deleted topic's name a moment later.
    create_topic_when_it_can("reborn-bid-responses");
    let output = end_of(ours, Duration::from_secs(45));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("topic `reborn-bid-responses`, partition"), "{message}");
    let noticed = ["lost records: expected offset", "is there no more"];
    assert!(noticed.iter().any(|noticed| message.contains(noticed)), "{message}");
    count_prefixes(&spec, &layout, &[Stage::Request, Stage::Impression, Stage::Click]);
}

fn create_topic_when_it_can(topic: &str) {
    let begin = Instant::now();
    let (bootstrap, create) = (bootstrap(), ["--create", "--partitions", "6", "--topic", topic]);
    let args = [&["tool", "TopicCommand", "--bootstrap-server", &bootstrap], &create[..]].concat();
    while !run(Command::new("tests/kafka/broker").args(&args)).status.success() {
        assert!(begin.elapsed() < limit(30), "{topic} cannot be created");
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_record_that_is_refused_for_its_time_stops_the_run_and_leaves_no_gap() {
    let (spec, layout) = (spec(BUSY), layout("times", [6; 4]));
    let mut ours = play(&spec, "times", &[]);
    wait_for_records("times-bid-responses", &mut ours);
    // From now on the broker refuses every record as too old.
    let bound = time_bound("message.timestamp.before.max.ms");
    let what = ["--entity-type", "topics", "--entity-name", "times-bid-responses", "--alter", "--add-config"];
    let tool = ["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap()];
    kafka_tool(&[&tool[..], &what, &[&format!("{bound}=1")]].concat());
    let output = end_of(ours, Duration::from_secs(15));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("topic `times-bid-responses`, partition"), "{message}");
    assert!(message.contains("was not stored: ") && message.contains("Broker: Invalid timestamp"), "{message}");
    assert!(message.contains("widen the topic's ") && message.contains(bound), "{message}");
    let (acked, sent) = acknowledged(&output);
    assert!(acked < sent, "{message}");
    // What was under way when the run ended may have been stored all the same.
    let held = count_prefixes(&spec, &layout, &Stage::ALL);
    assert!((acked..sent).contains(&held), "{held} records in the topics: {message}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn partitions_that_are_added_under_way_stay_empty() {
    let (spec, layout) = (spec(BUSY), layout("added", [6; 4]));
    let mut ours = play(&spec, "added", &["--report", "json", "-X", "topic.metadata.refresh.interval.ms=1000"]);
    wait_for_records("added-bid-responses", &mut ours);
    topic_tool(&["--alter", "--topic", "added-bid-responses", "--partitions", "9"]);
    sleep(Duration::from_secs(4));
    signal(&ours, "-TERM");
    let output = end_of(ours, Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(count_prefixes(&spec, &layout, &Stage::ALL), report(&output)["acked"].as_u64().unwrap());
}

/// The report of `--report json`.
fn report(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no report: {error}: {}", stderr(output)))
}

/// A wall clock that a test steps: `live/clock.c`, loaded into the program.
struct SteppedClock(tempfile::TempDir);

impl SteppedClock {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("clock.so");
        succeed(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg("tests/live/clock.c"));
        let clock = Self(folder);
        clock.step_to(0);
        clock
    }

    /// Sets how far the program's wall clock is stepped from the real one.
    fn step_to(&self, seconds: i64) {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(self.0.path().join("stepped"));
        file.unwrap().write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    fn play(&self, spec: &StreamSpec, prefix: &str, args: &[&str]) -> Child {
        let mut command = command(&bootstrap(), spec, prefix, args);
        command.env("LD_PRELOAD", self.0.path().join("clock.so")).env("STEPPED_CLOCK", self.0.path().join("stepped"));
        command.spawn().unwrap()
    }
}

fn held(topic: &str) -> usize {
    read_by_kcat(topic).values().map(Vec::len).sum()
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_wall_clock_that_is_stepped_by_an_hour_changes_no_byte() {
    let (spec, layout, clock) = (spec(BUSY), layout("stepped", [6; 4]), SteppedClock::new());
    let mut ours = clock.play(&spec, "stepped", &["--count", "20000", "--report", "json"]);
    wait_for_records("stepped-bid-requests", &mut ours);
    clock.step_to(-3_600);
    // What was under way arrives; then nothing goes until the clock is back.
    sleep(Duration::from_secs(2));
    let before = held("stepped-bid-requests");
    sleep(Duration::from_secs(3));
    assert_eq!(held("stepped-bid-requests"), before, "records went although the clock stands before their time");
    clock.step_to(0);
    sleep(Duration::from_secs(2));
    assert!(held("stepped-bid-requests") > before, "the run did not go on");
    clock.step_to(3_600);
    // What is left of the 40 s goes at once. The client's own waits, by which the run ends, are the kernel's, and that knows of no
    // step: it waits an hour for what a stepped process asks for.
    sleep(Duration::from_secs(4));
    clock.step_to(0);
    let output = end_of(ours, Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("the wall clock was stepped back by 3600.0 s: no record goes until"), "{message}");
    let forward = "the wall clock was stepped forward by 3600.0 s, or the machine slept: what became due goes at once";
    assert_eq!(message.matches(forward).count(), 2, "{message}");
    assert_topics_hold(&spec, &layout, Window::auctions(0, 20_000));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_replay_does_not_see_the_wall_clock() {
    let clock = SteppedClock::new();
    let one = || "1".parse().unwrap();
    let spec = StreamSpec { bid_response_rate: one(), win_rate: one(), click_rate: one(), ..spec(IDLE) };
    let rates = ["--bid-response-rate", "1", "--win-rate", "1", "--click-rate", "1"];
    let args = [&["--speed", "1", "--count", "60"], &rates[..]].concat();
    let mut ours = clock.play(&spec, "unseen", &args);
    // The client asks for a topic's leaders when it is first written to, by a wait that a step back prolongs.
    wait_for_records("unseen-clicks", &mut ours);
    clock.step_to(-3_600);
    // 12 s of the stream, and the lag of its last auction.
    let output = end_of(ours, Duration::from_secs(30));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("stepped"), "{}", stderr(&output));
    assert_topics_hold(&spec, &layout("unseen", [6; 4]), Window::auctions(0, 60));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_signal_is_seen_although_the_wall_clock_was_stepped_back() {
    let (spec, layout, clock) = (spec(IDLE), layout("back", [6; 4]), SteppedClock::new());
    let mut ours = clock.play(&spec, "back", &["--report", "json"]);
    wait_for_records("back-bid-requests", &mut ours);
    // In the middle of a wait, that is.
    clock.step_to(-3_600);
    sleep(Duration::from_secs(1));
    signal(&ours, "-TERM");
    let output = end_of(ours, Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(count_prefixes(&spec, &layout, &Stage::ALL), report(&output)["acked"].as_u64().unwrap());
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_backfill_goes_on_as_live_data_without_a_seam() {
    let minute_ms = 60_000;
    let now = spec(BUSY);
    let spec = StreamSpec { epoch: Epoch::from_ms(now.epoch.ms() - minute_ms).unwrap(), ..now };
    let mut ours = play(&spec, "seam", &["--report", "json"]);
    wait_for_records("seam-clicks", &mut ours);
    sleep(Duration::from_secs(6));
    signal(&ours, "-INT");
    let stopped_ms = mock_data_gen::player::pace::wall_clock_us() / 1_000;
    let output = end_of(ours, Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(count_prefixes(&spec, &layout("seam", [6; 4]), &Stage::ALL), report(&output)["acked"].as_u64().unwrap());
    let times = || read_by_kcat("seam-bid-requests").into_values().flatten().map(|record| record.1);
    assert!(times().min().unwrap() < spec.epoch.ms() + 1_000, "the backfill is missing");
    assert!((stopped_ms - times().max().unwrap()).abs() < 1_000, "the run did not reach the present");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_replay_takes_the_windows_time_by_its_factor() {
    let spec = spec(BUSY);
    // 20 s of the stream, and the lag of its last auction.
    let ours = play(&spec, "factor", &["--speed", "10", "--count", "10000", "--report", "json"]);
    let output = end_of(ours, Duration::from_secs(30));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_topics_hold(&spec, &layout("factor", [6; 4]), Window::auctions(0, 10_000));
    let last_ms = read_by_kcat("factor-clicks").into_values().flatten().map(|record| record.1).max().unwrap();
    let least = (last_ms - spec.epoch.ms()) as f64 / 10_000.0;
    let took = report(&output)["seconds"].as_f64().unwrap();
    assert!(took > least - 0.1, "{took} s is faster than the window's rhythm");
    // Not the window's own rhythm, which takes ten times as long.
    assert!(took < least * 8.0, "{took} s is slower than a tenth of the window's rhythm");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_stall_is_repaid_at_full_speed_and_told() {
    let (spec, layout) = (spec(BUSY), layout("stall", [6; 4]));
    let mut ours = play(&spec, "stall", &["--report", "json"]);
    wait_for_records("stall-bid-requests", &mut ours);
    signal(&ours, "-STOP");
    sleep(Duration::from_secs(10));
    signal(&ours, "-CONT");
    sleep(Duration::from_secs(3));
    signal(&ours, "-INT");
    let stopped_ms = mock_data_gen::player::pace::wall_clock_us() / 1_000;
    let output = end_of(ours, Duration::from_secs(5));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("s behind its timeline: overdue records go at full speed"), "{message}");
    assert!(message.contains("caught up with the timeline"), "{message}");
    assert!(!message.contains("stepped"), "{message}");
    let report = report(&output);
    let latest_us = report["lateness"]["max_us"].as_u64().unwrap();
    assert!((9_500_000..15_000_000).contains(&latest_us), "{message}");
    assert_eq!(count_prefixes(&spec, &layout, &Stage::ALL), report["acked"].as_u64().unwrap());
    // Nothing is owed any more: the last request is as new as the signal.
    let last_ms = read_by_kcat("stall-bid-requests").values().map(|log| log.last().unwrap().1).max().unwrap();
    assert!((stopped_ms - last_ms).abs() < 1_000, "{} ms are owed", stopped_ms - last_ms);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_signal_ends_a_run_that_a_silent_broker_holds_up_before_its_first_record() {
    let broker = OwnBroker::start();
    let spec = spec(BUSY);
    // Bounded or not, in whatever question the broker falls silent.
    for (after_ms, args, code) in [(0, &[][..], 0), (150, &["--count", "9000"], 5), (300, &["--count", "9000"], 5)] {
        let ours = command(&broker.bootstrap, &spec, &format!("silent-{after_ms}"), args).spawn().unwrap();
        sleep(Duration::from_millis(after_ms));
        broker.signal("-STOP");
        sleep(Duration::from_secs(2));
        signal(&ours, "-TERM");
        let output = end_of(ours, Duration::from_secs(5));
        broker.signal("-CONT");
        // A run that had begun already says what is not acknowledged.
        let began = stderr(&output).contains("records were sent but not acknowledged");
        assert_eq!(output.status.code(), Some(if began { 3 } else { code }), "{after_ms}: {}", stderr(&output));
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_broker_that_names_an_unreachable_address_is_an_error_that_says_which() {
    // A name that only another network knows, a port that refuses, an address that swallows everything.
    for address in ["kafka-inside.invalid:9092", "127.0.0.1:1", "192.0.2.1:9092"] {
        let extra = tempfile::NamedTempFile::new().unwrap();
        // With ZooKeeper the broker itself is told by its own listener which topics there are.
        let properties = [
            "listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,INSIDE://127.0.0.1:@SECOND_PORT@",
            &format!("advertised.listeners=PLAINTEXT://{address},INSIDE://127.0.0.1:@SECOND_PORT@"),
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT",
            "inter.broker.listener.name=INSIDE",
        ];
        std::fs::write(extra.path(), properties.join("\n") + "\n").unwrap();
        let mut script = Command::new("tests/kafka/broker");
        let broker = OwnBroker::start_by(script.env("KAFKA_EXTRA_PROPERTIES", extra.path()));
        // What the client finds out first differs from run to run.
        let start = |command: &'static str| {
            let mut ours = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
            ours.args([command, "--bootstrap-servers", &broker.bootstrap, "--fast", "--count", "10"]);
            (command, ours.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        };
        for (command, ours) in ["run", "run", "check", "check"].map(start) {
            let output = end_of(ours, Duration::from_secs(15));
            let message = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{command} at {address}: {message}");
            assert!(message.contains(address), "{command} at {address}: {message}");
            assert!(message.contains("(advertised.listeners)"), "{command} at {address}: {message}");
        }
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_quota_that_holds_the_run_back_is_told_and_loses_nothing() {
    let (spec, layout) = (spec(BUSY), layout("quota", [6; 4]));
    // Of a client id of this run's own.
    let quota =
        ["--entity-type", "clients", "--entity-name", "under-quota", "--add-config", "producer_byte_rate=20000"];
    let bootstrap = bootstrap();
    kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap, "--alter"], &quota[..]].concat());
    let mut ours = play(&spec, "quota", &["-X", "client.id=under-quota"]);
    let said = said_until(&mut ours, "holds requests back by up to");
    assert!(said.contains("a quota of this user or client.id (producer_byte_rate,"), "{said}");
    signal(&ours, "-TERM");
    let output = end_of(ours, Duration::from_secs(10));
    // What the quota still holds back is not acknowledged in time.
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(count_prefixes(&spec, &layout, &Stage::ALL) > 0);
}

/// Reads what a run says until it says that.
fn said_until(process: &mut Child, wanted: &str) -> String {
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let (begin, mut said) = (Instant::now(), String::new());
    while begin.elapsed() < limit(60) && !said.contains(wanted) {
        let Some(line) = lines.next() else { break };
        said = said + &line.unwrap() + "\n";
    }
    // Nobody reads on, and a pipe without a reader would end the run.
    std::thread::spawn(move || lines.for_each(drop));
    assert!(said.contains(wanted), "{said}");
    said
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn connections_that_brokers_close_for_being_idle_are_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let properties = folder.path().join("idle.properties");
    std::fs::write(&properties, "connections.max.idle.ms=1500\n").unwrap();
    let broker = OwnBroker::start_by(Command::new("tests/kafka/broker").env("KAFKA_EXTRA_PROPERTIES", &properties));
    // Requests some seconds from one another: each finds its connection closed.
    let spec = spec("0.25");
    for delivery in ["idempotent", "exactly-once"] {
        let prefix = format!("idle-{delivery}");
        let more = ["--delivery", delivery, "--duration", "40s", "--report", "json"];
        let output =
            end_of(command(&broker.bootstrap, &spec, &prefix, &more).spawn().unwrap(), Duration::from_secs(60));
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(!said.contains("WARN") && !said.contains("down"), "{delivery}: {said}");
    }
}
