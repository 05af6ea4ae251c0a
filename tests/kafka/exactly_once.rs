//! Exactly-once delivery on a real Apache Kafka: `make test-kafka`.
//!
//! After each trouble the log that a read-committed kcat sees is that of one run that nothing interrupted. Offsets have gaps: the
//! ends of transactions, and what aborted ones left.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::{
    Log, OwnBroker, bootstrap, create_topic, delete_before, delete_group, expected, layout, read_by_kcat_at, run,
    stderr, topic_flags, wait_for_records_at,
};
use mock_data_gen::generator::spec::{EventsPerSecond, Layout, Rate, Stage, StreamSpec};
use mock_data_gen::generator::stream::Window;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// Topics of its own on some broker, and a window of 6 s in its own rhythm: some transactions, and each partition in most of them.
struct Case {
    brokers: String,
    prefix: &'static str,
    layout: Layout,
    spec: StreamSpec,
}

const COUNT: u64 = 6_000;

impl Case {
    fn new(prefix: &'static str) -> Self {
        Self::on(bootstrap(), prefix)
    }

    fn on(brokers: String, prefix: &'static str) -> Self {
        let spec = StreamSpec {
            events_per_second: EventsPerSecond::new(1_000),
            click_rate: Rate::from_percent(50),
            ..StreamSpec::default()
        };
        Self { brokers, prefix, layout: layout(prefix, [6; 4]), spec }
    }

    fn topic(&self, stage: Stage) -> &str {
        self.layout.topic(stage).name.as_str()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.without_window(args);
        command.args(["--count", &COUNT.to_string()]);
        command
    }

    fn without_window(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.args(args).args(["--bootstrap-servers", &self.brokers]);
        command.args(["--events-per-second", "1000", "--click-rate", "0.5"]).args(topic_flags(self.prefix));
        command
    }

    /// A run that writes transactions, in the window's rhythm.
    fn paced(&self, more: &[&str]) -> Child {
        let mut command = self.command(&[&["--speed", "1", "--delivery", "exactly-once"], more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The same at full speed.
    fn fast(&self) -> Output {
        run(&mut self.command(&["--fast", "--delivery", "exactly-once"]))
    }

    fn wait_for_records(&self, writer: &mut Child) {
        wait_for_records_at(&self.brokers, self.topic(Stage::Response), writer);
    }

    /// What a reader sees, without offsets, which must only grow.
    fn seen(&self, stage: Stage) -> Log {
        let mut log = read_by_kcat_at(&self.brokers, self.topic(stage));
        for records in log.values_mut() {
            assert!(records.is_sorted_by_key(|record| record.0), "offsets do not grow");
            (0i64..).zip(records).for_each(|(index, record)| record.0 = index);
        }
        log
    }

    /// By kcat, and by `verify`.
    fn assert_whole(&self) {
        for (stage, whole) in Stage::ALL.into_iter().zip(expected(&self.spec, &self.layout, Window::auctions(0, COUNT)))
        {
            crate::support::assert_log(self.topic(stage), "kcat", &self.seen(stage), &whole);
        }
        let verified = run(&mut self.command(&["verify"]));
        assert!(verified.status.success(), "{}{}", String::from_utf8_lossy(&verified.stdout), stderr(&verified));
        // That a partition was read to its end is no error.
        assert!(!stderr(&verified).contains("ERROR"), "{}", stderr(&verified));
    }

    /// Each partition is a prefix of what it should be.
    fn assert_prefix(&self) {
        let whole = expected(&self.spec, &self.layout, Window::auctions(0, COUNT));
        for (stage, whole) in Stage::ALL.into_iter().zip(whole) {
            for (partition, records) in self.seen(stage) {
                assert!(whole[&partition].starts_with(&records), "{stage} {partition} is no prefix");
            }
        }
    }

    /// SIGKILL some time after the first records are seen: what is seen then is a prefix.
    fn kill(&self, mut writer: Child, after: Duration) {
        self.wait_for_records(&mut writer);
        sleep(after);
        writer.kill().unwrap();
        writer.wait().unwrap();
        self.assert_prefix();
    }

    /// Another program, with a record of an open transaction in a partition.
    fn stranger(&self, stage: Stage, partition: i32) -> BaseProducer {
        let stranger: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("transactional.id", format!("{}-stranger", self.prefix))
            .create()
            .unwrap();
        stranger.init_transactions(Duration::from_secs(10)).unwrap();
        stranger.begin_transaction().unwrap();
        stranger.send(BaseRecord::to(self.topic(stage)).partition(partition).key("k").payload("v")).unwrap();
        stranger.flush(Duration::from_secs(5)).unwrap();
        stranger
    }

    fn assert_goes_on_to_the_end(&self) {
        let output = self.fast();
        assert!(output.status.success(), "{}", stderr(&output));
        self.assert_whole();
    }
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_run_is_committed_whole_and_found_complete() {
    let case = Case::new("eo-whole");
    case.assert_goes_on_to_the_end();
    let again = case.fast();
    assert!(again.status.success() && stderr(&again).contains("nothing to do"), "{}", stderr(&again));
    // Idempotent delivery goes on with such a log too, and finds nothing to do.
    let idempotent = run(&mut case.command(&["--fast"]));
    assert!(idempotent.status.success() && stderr(&idempotent).contains("nothing to do"), "{}", stderr(&idempotent));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn what_a_killed_run_did_not_commit_is_seen_by_nobody_and_sent_again() {
    let case = Case::new("eo-killed");
    for round in 0..3 {
        case.kill(case.paced(&[]), Duration::from_millis(150 + 310 * round));
    }
    case.assert_goes_on_to_the_end();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_log_of_idempotent_delivery_is_gone_on_with_and_back() {
    let case = Case::new("eo-mixed");
    for delivery in ["idempotent", "exactly-once", "idempotent"] {
        let mut command = case.command(&["--speed", "1", "--delivery", delivery]);
        case.kill(command.stderr(Stdio::piped()).spawn().unwrap(), Duration::from_millis(700));
    }
    case.assert_goes_on_to_the_end();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_signal_commits_what_was_sent() {
    let case = Case::new("eo-signal");
    let mut child = case.paced(&["--report", "json"]);
    case.wait_for_records(&mut child);
    sleep(Duration::from_millis(400));
    signal(&child, "-TERM");
    let begin = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < limit(5), "{:?}", begin.elapsed());
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    assert_eq!(code(&output), Some(5));
    assert_eq!(report["records"], report["acked"]);
    let seen: usize = Stage::ALL.map(|stage| case.seen(stage).values().map(Vec::len).sum()).iter().sum();
    assert_eq!(report["acked"], seen);
    case.assert_goes_on_to_the_end();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_second_copy_shuts_the_first_out_and_goes_on() {
    let case = Case::new("eo-copy");
    let mut first = case.paced(&[]);
    case.wait_for_records(&mut first);
    let mut second = case.paced(&[]);
    let begin = Instant::now();
    let first = first.wait_with_output().unwrap();
    assert!(begin.elapsed() < limit(10), "{:?}", begin.elapsed());
    assert_eq!(code(&first), Some(4), "{}", stderr(&first));
    assert!(stderr(&first).contains("it has taken over the transactions of these topics"), "{}", stderr(&first));
    assert!(second.wait().unwrap().success());
    case.assert_whole();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn somebody_elses_record_is_noticed() {
    let case = Case::new("eo-intruder");
    let mut child = case.paced(&[]);
    case.wait_for_records(&mut child);
    let intruder: BaseProducer = ClientConfig::new().set("bootstrap.servers", &case.brokers).create().unwrap();
    intruder.send(BaseRecord::to(case.topic(Stage::Request)).partition(2).key("k").payload("v")).unwrap();
    intruder.flush(Duration::from_secs(5)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), Some(4), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("another writer is at work: topic `eo-intruder-bid-requests`, partition 2, offset ")
    );
    assert!(!stderr(&output).contains("nothing was written"), "{}", stderr(&output));
    let again = case.fast();
    assert_eq!(code(&again), Some(3), "{}", stderr(&again));
    assert!(stderr(&again).contains("is not of this stream"), "{}", stderr(&again));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn somebody_elses_open_transaction_is_waited_for() {
    let case = Case::new("eo-open");
    case.kill(case.paced(&[]), Duration::ZERO);
    // Once it has taken over there are no other transactions than the stranger's.
    assert_eq!(
        code(&run(&mut case.command(&["--fast", "--delivery", "exactly-once", "--resume", "require"]))),
        Some(0)
    );
    let stranger = case.stranger(Stage::Click, 1);
    for delivery in ["exactly-once", "idempotent"] {
        let waiting = case.command(&["--fast", "--delivery", delivery]).stderr(Stdio::piped()).spawn().unwrap();
        sleep(Duration::from_secs(3));
        signal(&waiting, "-TERM");
        let output = waiting.wait_with_output().unwrap();
        assert!(
            stderr(&output).contains("a transaction is open in `eo-open-clicks`, partition 1"),
            "{}",
            stderr(&output)
        );
        assert_eq!(code(&output), Some(5), "{}", stderr(&output));
    }
    stranger.abort_transaction(Duration::from_secs(5)).unwrap();
    case.assert_goes_on_to_the_end();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_record_that_is_refused_leaves_nothing_half_seen() {
    let case = Case::new("eo-refused");
    // The longest responses do not fit.
    create_topic(case.topic(Stage::Response), 6, &["max.message.bytes=520", "retention.ms=-1"]);
    for topic in [Stage::Request, Stage::Impression, Stage::Click] {
        create_topic(case.topic(topic), 6, &["retention.ms=-1"]);
    }
    let output = case.fast();
    assert_eq!(code(&output), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("raise the topic's max.message.bytes"), "{}", stderr(&output));
    case.assert_prefix();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn workers_have_transactions_of_their_own() {
    let case = Case::new("eo-workers");
    let workers = ["0/2", "1/2"].map(|shard| case.paced(&["--shard", shard]));
    let [first, second] = workers;
    case.kill(first, Duration::from_millis(500));
    let first = case.paced(&["--shard", "0/2"]);
    for worker in [first, second] {
        let output = worker.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    case.assert_whole();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_broker_that_is_killed_or_stands_still_is_gone_on_with() {
    let mut broker = OwnBroker::start();
    let case = Case::on(broker.bootstrap.clone(), "eo-broker");
    let mut child = case.paced(&[]);
    case.wait_for_records(&mut child);
    broker.restart(Duration::from_secs(1));
    broker.wait_until_back();
    sleep(Duration::from_secs(2));
    broker.signal("-STOP");
    sleep(Duration::from_secs(12));
    broker.signal("-CONT");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    case.assert_whole();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn partitions_that_retention_has_emptied_are_not_counted() {
    let case = Case::new("eo-emptied");
    case.assert_goes_on_to_the_end();
    let seen = case.seen(Stage::Click)[&3].len();
    assert!(seen > 0);
    delete_before(&[(case.topic(Stage::Click), 3, -1)]);
    // By either delivery, the offsets of the run's group tell what the log no longer does.
    for output in [case.fast(), run(&mut case.command(&["--fast"]))] {
        assert_eq!(code(&output), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("the offsets of group"), "{}", stderr(&output));
        assert!(stderr(&output).contains("nothing to do"), "{}", stderr(&output));
    }
    // Without them, whoever counted ends of transactions as records would leave as many records out.
    delete_group(&case.layout, &case.spec);
    for output in [case.fast(), run(&mut case.command(&["--fast"]))] {
        assert_eq!(code(&output), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains("its offsets count their ends too"), "{}", stderr(&output));
    }
}

/// The ends of transactions are no records, whether retention leaves them or not.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_log_of_which_no_record_is_left_is_complete_by_its_groups_offsets() {
    let case = Case::new("eo-markers");
    assert_eq!(code(&case.fast()), Some(0));
    let all = Stage::ALL.into_iter().flat_map(|stage| (0..6).map(move |partition| (stage, partition)));
    let all: Vec<_> = all.map(|(stage, partition)| (case.topic(stage), partition, -1)).collect();
    delete_before(&all);
    let output = case.fast();
    assert!(stderr(&output).contains("and none of its records is left"), "{}", stderr(&output));
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_run_knows_its_window_though_retention_has_removed_its_head_meanwhile() {
    let case = Case::new("eo-cut");
    let mut command = case.without_window(&["--delivery", "exactly-once", "--duration", "20s"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    case.wait_for_records(&mut child);
    delete_before(&[(case.topic(Stage::Request), 0, 20)]);
    // A stranger's offsets make the run look at the log again, which shows no more where a window from now began.
    case.stranger(Stage::Request, 2).abort_transaction(Duration::from_secs(5)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("looking where the topics end"), "{}", stderr(&output));
    let verified = run(&mut case.without_window(&["verify"]));
    assert!(verified.status.success(), "{}{}", String::from_utf8_lossy(&verified.stdout), stderr(&verified));
}

/// The ends of transactions take offsets as well. The same command again leaves the key that is there.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn an_answer_key_names_end_offsets_where_they_count_records() {
    let folder = tempfile::tempdir().unwrap();
    for (prefix, delivery, are_offsets) in [("keyed", "idempotent", true), ("keyed-once", "exactly-once", false)] {
        let case = Case::new(prefix);
        let key = folder.path().join(prefix);
        let args = ["--fast", "--delivery", delivery, "--answer-key", key.to_str().unwrap()];
        for again in [false, true] {
            let output = run(&mut case.command(&args));
            assert!(output.status.success(), "{}", stderr(&output));
            assert_eq!(stderr(&output).contains("written before"), again, "{}", stderr(&output));
        }
        let manifest = std::fs::read(key.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        for partition in manifest["topics"].as_array().unwrap().iter().flat_map(|t| t["partitions"].as_array().unwrap())
        {
            let wanted = if are_offsets { &partition["records"] } else { &serde_json::Value::Null };
            assert_eq!(&partition["end_offset"], wanted, "{delivery}");
        }
    }
}
