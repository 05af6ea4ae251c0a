//! `verify` on a real Apache Kafka: `make test-kafka` starts one, exports its address and runs what is ignored here.
//!
//! Damage is done by writing the damaged records, with a plain producer that knows nothing of streams.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::{kafka_tool, run};
use mock_data_gen::generator::spec::{Layout, Partitions, Rate, Stage, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::kafka::Cluster;
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::source::Source;
use mock_data_gen::source::topics::Topics;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

const PARTITIONS: [u32; 4] = [3, 2, 2, 1];
const COUNT: u64 = 600;

fn bootstrap() -> String {
    env::var("KAFKA_BOOTSTRAP").expect("no KAFKA_BOOTSTRAP: run this by `make test-kafka`")
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap());
    config
}

fn wait<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(answer)
}

/// Topics of their own for a test, so that tests never meet.
fn layout(prefix: &str) -> Layout {
    let mut counts = PARTITIONS.into_iter();
    let topic = |topic: Topic| Topic {
        name: format!("{prefix}-{}", topic.name).parse().unwrap(),
        partitions: Partitions::new(counts.next().unwrap()).unwrap(),
    };
    Layout::new(Layout::default().topics().clone().map(topic)).unwrap()
}

fn topic_flags(prefix: &str) -> Vec<String> {
    let flag = |name: &str| [format!("--topic-{name}"), format!("{prefix}-{name}")];
    ["bid-requests", "bid-responses", "impressions", "clicks"].into_iter().flat_map(flag).collect()
}

fn create(layout: &Layout) {
    let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
    let topic = |topic: &Topic| {
        let count = topic.partitions.count().cast_signed();
        (topic.name.to_string(), count)
    };
    let topics: Vec<(String, i32)> = layout.topics().iter().map(topic).collect();
    let new: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|(name, count)| NewTopic::new(name, *count, TopicReplication::Fixed(1)).set("retention.ms", "-1"))
        .collect();
    for result in wait(admin.create_topics(&new, &AdminOptions::new())).unwrap() {
        result.unwrap();
    }
    // The broker learns of them a moment later.
    let has_leaders = |(name, count): &(String, i32)| {
        let metadata = admin.inner().fetch_metadata(Some(name), Duration::from_secs(30)).unwrap();
        let partitions = metadata.topics()[0].partitions();
        partitions.len() as i32 == *count && partitions.iter().all(|partition| partition.leader() >= 0)
    };
    wait_for(|| topics.iter().all(has_leaders));
}

/// Records by stage and partition.
type Logs = BTreeMap<(Stage, u32), Vec<LogRecord>>;

fn spec() -> StreamSpec {
    StreamSpec {
        headers: true,
        click_rate: Rate::from_percent(100),
        win_rate: Rate::from_percent(50),
        ..StreamSpec::default()
    }
}

const SPEC_FLAGS: [&str; 5] = ["--headers", "--click-rate", "1", "--win-rate", "0.5"];

fn logs(stream: &Stream, window: Window) -> Logs {
    let mut logs = Logs::new();
    for record in stream.records(window) {
        let log = logs.entry((record.stage, record.partition)).or_default();
        log.push(LogRecord::of(&record, log.len() as i64));
    }
    logs
}

fn produce(producer: &BaseProducer, topic: &str, partition: u32, record: &LogRecord) {
    let add = |headers: OwnedHeaders, (name, value): &(Vec<u8>, Option<Vec<u8>>)| {
        headers.insert(Header { key: str::from_utf8(name).unwrap(), value: value.as_deref() })
    };
    let headers = record.headers.iter().fold(OwnedHeaders::new(), add);
    let mut message: BaseRecord<'_, [u8], [u8]> =
        BaseRecord::to(topic).partition(partition.cast_signed()).timestamp(record.timestamp_ms).headers(headers);
    if let Some(key) = &record.key {
        message = message.key(key);
    }
    if let Some(value) = &record.value {
        message = message.payload(value);
    }
    producer.send(message).map_err(|(error, _)| error).unwrap();
    producer.poll(Duration::ZERO);
}

fn write(layout: &Layout, logs: &Logs) {
    let producer: BaseProducer = client().set("enable.idempotence", "true").create().unwrap();
    for ((stage, partition), log) in logs {
        for record in log {
            produce(&producer, layout.topic(*stage).name.as_str(), *partition, record);
        }
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn generator(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(args);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The verdict as JSON, and the exit code.
fn verify(prefix: &str, args: &[&str]) -> (Value, i32) {
    let topics = topic_flags(prefix);
    let mut command = generator(&["verify", "--report", "json", "--bootstrap-servers", &bootstrap()]);
    let output = run(command.args(&topics).args(args));
    let verdict = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{command:?}: {error}\n{}", text(&output.stderr)));
    (verdict, output.status.code().unwrap())
}

fn counts(verdict: &Value) -> Vec<(&'static str, u64)> {
    let classes = ["missing", "extra", "duplicated", "reordered", "altered", "foreign"];
    classes.into_iter().map(|class| (class, verdict[class].as_u64().unwrap())).filter(|(_, count)| *count > 0).collect()
}

/// The first difference of a log.
fn first<'v>(verdict: &'v Value, layout: &Layout, stage: Stage, partition: u32) -> &'v Value {
    let is_it = |log: &&Value| {
        log["topic"] == layout.topic(stage).name.as_str() && log["partition"].as_u64() == Some(partition.into())
    };
    &verdict["logs"].as_array().unwrap().iter().find(is_it).unwrap()["first_difference"]
}

/// Writes logs to new topics, damaged, and verifies them with and without window options.
fn damaged(prefix: &str, damage: impl FnOnce(&mut Logs), expected: &[(&str, u64)], place: Option<(Stage, u32, u64)>) {
    let layout = layout(prefix);
    let stream = Stream::new(&spec(), &layout);
    let mut logs = logs(&stream, Window::auctions(0, COUNT));
    damage(&mut logs);
    create(&layout);
    write(&layout, &logs);
    let count = COUNT.to_string();
    let asked: Vec<&str> = ["--from", "epoch", "--count", &count].into_iter().chain(SPEC_FLAGS).collect();
    for args in [asked.as_slice(), &SPEC_FLAGS] {
        let (verdict, code) = verify(prefix, args);
        assert_eq!(counts(&verdict), expected, "{prefix} {args:?}: {verdict:#}");
        assert_eq!(code, i32::from(!expected.is_empty()), "{prefix}: {verdict:#}");
        if let Some((stage, partition, offset)) = place {
            let first = first(&verdict, &layout, stage, partition);
            assert_eq!(first["offset"], offset, "{prefix}: {verdict:#}");
            assert!(!first["expected"].is_null() && !first["found"].is_null(), "{prefix}: {first:#}");
        }
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn times_of_a_brokers_clock_are_named_by_topic() {
    let layout = layout("v-clock");
    let stream = Stream::new(&spec(), &layout);
    create(&layout);
    let topic = layout.topic(Stage::Impression).name.as_str();
    let alter = ["--alter", "--entity-type", "topics", "--entity-name", topic];
    let setting = ["--add-config", "message.timestamp.type=LogAppendTime"];
    kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap()], &alter[..], &setting].concat());
    write(&layout, &logs(&stream, Window::auctions(0, COUNT)));
    let count = COUNT.to_string();
    let asked: Vec<&str> = ["--from", "epoch", "--count", &count].into_iter().chain(SPEC_FLAGS).collect();
    for args in [asked.as_slice(), &SPEC_FLAGS] {
        let (verdict, code) = verify("v-clock", args);
        let named = |hint: &Value| hint.as_str().unwrap().contains("of topic `v-clock-impressions`, in place of");
        let hints = verdict["hints"].as_array().unwrap();
        assert!(code == 1 && hints.iter().filter(|hint| named(hint)).count() == 1, "{verdict:#}");
        assert_eq!(
            verdict["matched"].as_u64().unwrap() + verdict["altered"].as_u64().unwrap(),
            verdict["records"],
            "{verdict:#}"
        );
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn each_damage_on_real_topics_is_named() {
    let log = (Stage::Request, 1);
    let at = |logs: &mut Logs, index: usize| -> LogRecord { logs[&log][index].clone() };
    let place = Some((Stage::Request, 1, 50));
    let edit = |logs: &mut Logs, edit: &dyn Fn(&mut Vec<LogRecord>)| edit(logs.get_mut(&log).unwrap());
    damaged("v-clean", |_| {}, &[], None);
    damaged("v-lost", |logs| edit(logs, &|log| drop(log.remove(50))), &[("missing", 1)], place);
    damaged(
        "v-doubled",
        |logs| {
            let r = at(logs, 49);
            edit(logs, &|log| log.insert(50, r.clone()));
        },
        &[("duplicated", 1)],
        place,
    );
    damaged("v-swapped", |logs| edit(logs, &|log| log.swap(50, 51)), &[("reordered", 1)], place);
    damaged("v-key", |logs| edit(logs, &|log| log[50].key.as_mut().unwrap()[7] ^= 1), &[("altered", 1)], place);
    damaged("v-value", |logs| edit(logs, &|log| log[50].value.as_mut().unwrap()[300] ^= 4), &[("altered", 1)], place);
    damaged("v-time", |logs| edit(logs, &|log| log[50].timestamp_ms += 1), &[("altered", 1)], place);
    damaged("v-header", |logs| edit(logs, &|log| log[50].headers[1].1 = None), &[("altered", 1)], place);
    damaged("v-tombstone", |logs| edit(logs, &|log| log[50].value = None), &[("altered", 1)], place);
    damaged(
        "v-foreign",
        |logs| {
            let foreign = LogRecord { key: None, value: Some(b"hello".to_vec()), headers: Vec::new(), ..at(logs, 50) };
            edit(logs, &|log| log.insert(50, foreign.clone()));
        },
        &[("foreign", 1)],
        place,
    );
    damaged(
        "v-elsewhere",
        |logs| {
            let moved = logs.get_mut(&log).unwrap().remove(50);
            logs.get_mut(&(Stage::Request, 2)).unwrap().insert(60, moved);
        },
        &[("missing", 1), ("extra", 1)],
        Some((Stage::Request, 2, 60)),
    );
    let total = |logs: &Logs| logs.values().map(Vec::len).sum::<usize>() as u64;
    damaged("v-tail", |logs| edit(logs, &|log| log.truncate(log.len() - 5)), &[("missing", 5)], None);

    // Records of another seed: all are foreign, and that is said.
    let layout = layout("v-seed");
    let other = logs(&Stream::new(&StreamSpec { seed: 43, ..spec() }, &layout), Window::auctions(0, COUNT));
    create(&layout);
    write(&layout, &other);
    let (verdict, code) = verify("v-seed", &SPEC_FLAGS);
    assert_eq!((counts(&verdict), code), (vec![("foreign", total(&other))], 1), "{verdict:#}");
    assert!(verdict["hints"][0].as_str().unwrap().contains("none of the records is of this stream"), "{verdict:#}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn transactions_leave_nothing_that_counts() {
    let layout = layout("v-txn");
    let stream = Stream::new(&spec(), &layout);
    let all = logs(&stream, Window::auctions(0, COUNT));
    create(&layout);
    let producer: BaseProducer = client().set("transactional.id", "v-txn").create().unwrap();
    let timeout = Duration::from_secs(30);
    producer.init_transactions(timeout).unwrap();
    // Ten rounds: a tenth of each log, then half of it again in a transaction that is aborted. Control records stand between all
    // and at the ends.
    for round in 0..10 {
        for is_kept in [false, true] {
            producer.begin_transaction().unwrap();
            for ((stage, partition), log) in &all {
                let part = log.len() * round / 10..log.len() * (round + 1) / 10;
                let part = if is_kept { part } else { part.start..part.start + part.len() / 2 };
                for record in &log[part] {
                    produce(&producer, layout.topic(*stage).name.as_str(), *partition, record);
                }
            }
            if is_kept {
                producer.commit_transaction(timeout).unwrap();
            } else {
                producer.flush(timeout).unwrap();
                producer.abort_transaction(timeout).unwrap();
            }
        }
    }
    // A transaction that is aborted at the very end, longer than the tails that are looked at.
    producer.begin_transaction().unwrap();
    for ((stage, partition), log) in &all {
        log.iter()
            .take(40)
            .for_each(|record| produce(&producer, layout.topic(*stage).name.as_str(), *partition, record));
    }
    producer.flush(timeout).unwrap();
    producer.abort_transaction(timeout).unwrap();
    let count = COUNT.to_string();
    let asked: Vec<&str> = ["--from", "epoch", "--count", &count].into_iter().chain(SPEC_FLAGS).collect();
    for args in [asked.as_slice(), &SPEC_FLAGS] {
        let (verdict, code) = verify("v-txn", args);
        assert_eq!((counts(&verdict), code), (vec![], 0), "{verdict:#}");
        let records = all.values().map(Vec::len).sum::<usize>() as u64;
        assert_eq!(verdict["matched"].as_u64(), Some(records), "{verdict:#}");
    }
    // While one is open, what is behind it is not there yet.
    producer.begin_transaction().unwrap();
    produce(&producer, layout.topic(Stage::Request).name.as_str(), 0, &all[&(Stage::Request, 0)][0]);
    producer.flush(timeout).unwrap();
    let (verdict, code) = verify("v-txn", &asked);
    assert_eq!((counts(&verdict), code), (vec![], 0), "{verdict:#}");
    producer.abort_transaction(timeout).unwrap();
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn heads_that_retention_cut_off_are_no_loss() {
    let layout = layout("v-cut");
    let stream = Stream::new(&spec(), &layout);
    let all = logs(&stream, Window::auctions(0, COUNT));
    create(&layout);
    write(&layout, &all);
    let delete = |stage: Stage, partition: i32, before: Offset| {
        let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(layout.topic(stage).name.as_str(), partition, before).unwrap();
        wait(admin.delete_records(&list, &AdminOptions::new())).unwrap();
    };
    delete(Stage::Request, 0, Offset::Offset(30));
    delete(Stage::Response, 1, Offset::Offset(5));
    let (verdict, code) = verify("v-cut", &SPEC_FLAGS);
    assert_eq!((counts(&verdict), code), (vec![], 0), "{verdict:#}");
    assert_eq!(verdict["start"], "cut");
    assert_eq!(verdict["logs"][0]["log_start_offset"], 30);
    // A whole partition.
    delete(Stage::Request, 2, Offset::End);
    let count = COUNT.to_string();
    let asked: Vec<&str> = ["--from", "epoch", "--count", &count].into_iter().chain(SPEC_FLAGS).collect();
    for args in [asked.as_slice(), &SPEC_FLAGS] {
        let (verdict, code) = verify("v-cut", args);
        assert_eq!((counts(&verdict), code), (vec![], 0), "{verdict:#}");
    }
    // A loss in what is left is one all the same.
    let other = self::layout("v-cut-lost");
    let mut damaged = all.clone();
    damaged.get_mut(&(Stage::Request, 1)).unwrap().remove(70);
    create(&other);
    write(&other, &damaged);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(other.topic(Stage::Request).name.as_str(), 1, Offset::Offset(20)).unwrap();
    let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
    wait(admin.delete_records(&list, &AdminOptions::new())).unwrap();
    let (verdict, code) = verify("v-cut-lost", &SPEC_FLAGS);
    assert_eq!((counts(&verdict), code), (vec![("missing", 1)], 1), "{verdict:#}");
    assert_eq!(first(&verdict, &other, Stage::Request, 1)["offset"], 70);
}

/// Removes what stands before an offset of each partition of a topic.
fn remove(topic: &str, before: &[(u32, Offset)]) {
    let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
    let mut list = TopicPartitionList::new();
    for &(partition, before) in before {
        list.add_partition_offset(topic, partition.cast_signed(), before).unwrap();
    }
    wait(admin.delete_records(&list, &AdminOptions::new())).unwrap();
}

/// One loss is judged alike, however it was written: by Kafka's own tool for removing records, with the ends of transactions left or
/// removed, too.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn what_was_removed_is_not_said_to_be_verified() {
    for (delivery, markers) in [("idempotent", 0), ("exactly-once", 1), ("exactly-once", 0)] {
        let prefix = format!("v-gone-{delivery}-{markers}");
        let topics = topic_flags(&prefix);
        let flags = ["--bootstrap-servers", &bootstrap(), "--fast", "--count", "300", "--partitions", "2"];
        let written = run(generator(&flags).args(&topics).args(["--delivery", delivery]));
        assert!(written.status.success(), "{}", text(&written.stderr));
        let (whole, code) = verify(&prefix, &["--from", "epoch", "--count", "300"]);
        assert_eq!((code, &whole["outcome"]), (0, &"verified".into()), "{whole:#}");
        assert!(whole["not_compared"].is_null(), "{whole:#}");

        remove(&format!("{prefix}-bid-requests"), &[(0, Offset::Offset(50)), (1, Offset::Offset(20))]);
        for args in [&["--from", "epoch", "--count", "300"][..], &[]] {
            let (cut, code) = verify(&prefix, args);
            assert_eq!((code, &cut["outcome"]), (0, &"verified".into()), "{delivery} {args:?}: {cut:#}");
            let not_compared = serde_json::json!({ "partitions": 2, "offsets": 70 });
            assert_eq!(cut["not_compared"], not_compared, "{delivery} {args:?}: {cut:#}");
            assert_eq!(whole["matched"].as_u64().unwrap() - cut["matched"].as_u64().unwrap(), 70, "{cut:#}");
        }
        let output = run(generator(&["verify", "--bootstrap-servers", &bootstrap()]).args(&topics));
        let shown = text(&output.stdout);
        let line = format!("\nnot compared {prefix}-bid-requests/0: 50 offsets; it begins at offset 50\n");
        assert!(shown.contains(&line), "{shown}");
        assert!(shown.ends_with("; 70 offsets of 2 partitions were removed before and not compared\n"), "{shown}");

        for log in whole["logs"].as_array().unwrap() {
            let end = log["records"].as_i64().unwrap() + i64::from(delivery == "exactly-once");
            let partition = u32::try_from(log["partition"].as_u64().unwrap()).unwrap();
            let before = if log["records"] == 0 { 0 } else { end - markers };
            remove(log["topic"].as_str().unwrap(), &[(partition, Offset::Offset(before))]);
        }
        for args in [&["--from", "epoch", "--count", "300"][..], &[]] {
            let (gone, code) = verify(&prefix, args);
            assert_eq!((code, &gone["outcome"]), (3, &"nothing_compared".into()), "{delivery} {args:?}: {gone:#}");
            assert_eq!((counts(&gone), &gone["clean"]), (vec![], &false.into()), "{delivery} {args:?}: {gone:#}");
        }
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn records_that_are_removed_while_they_are_read_are_named() {
    let prefix = "v-removed";
    let flags = ["--bootstrap-servers", &bootstrap(), "--fast", "--count", "40000", "--partitions", "1"];
    let written = run(generator(&flags).args(topic_flags(prefix)));
    assert!(written.status.success(), "{}", text(&written.stderr));
    let stop = Shutdown::default();
    let layout = Layout::new(Layout::default().topics().clone().map(|topic| Topic {
        name: format!("{prefix}-{}", topic.name).parse().unwrap(),
        partitions: Partitions::new(1).unwrap(),
    }));
    let cluster = Cluster::connect(&bootstrap(), &[], &layout.unwrap(), &stop).unwrap();
    let mut topics = Topics::open(&cluster, &stop).unwrap();
    let mut record = LogRecord::default();
    assert!(topics.next(0, &mut record).unwrap());
    remove(&format!("{prefix}-bid-requests"), &[(0, Offset::End)]);
    let mut read = 1;
    let error = loop {
        match topics.next(0, &mut record) {
            Ok(more) => assert!(more, "all was read, of what was removed"),
            Err(error) => break error.to_string(),
        }
        read += 1;
    };
    let expected =
        format!("topic `{prefix}-bid-requests`, partition 0, offset {read}: records were removed from here on");
    assert!(error.starts_with(&expected) && error.contains("retention.ms"), "{error}");
}

/// One option that explains what the topics hold is named, by a run that would go on there and by `verify`.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn the_option_that_explains_the_topics_is_named() {
    let topics = topic_flags("v-why");
    let flags = ["--bootstrap-servers", &bootstrap(), "--fast", "--count", "3000"];
    let written = run(generator(&flags).args(&topics));
    assert!(written.status.success(), "{}", text(&written.stderr));
    for (option, given, found) in [
        ("--win-rate", "0.2", "0.15"),
        ("--win-rate", "0.1", "0.15"),
        ("--bid-response-rate", "0.7", "0.6"),
        ("--seed", "43", "42"),
        ("--key-by", "request", "id"),
        ("--late", "0.5:20s", "0"),
    ] {
        let expected = format!("the records of {option} {found}, and this command says {given}");
        let run_on = run(generator(&flags).args(&topics).args([option, given]));
        assert_eq!(run_on.status.code(), Some(3), "{}", text(&run_on.stderr));
        assert!(text(&run_on.stderr).contains(&expected), "{option}: {}", text(&run_on.stderr));
        let (verdict, code) = verify("v-why", &["--from", "epoch", "--count", "3000", option, given]);
        assert_eq!(code, 1, "{verdict:#}");
        assert!(verdict["hints"][0].as_str().unwrap().contains(&expected), "{verdict:#}");
    }
    let run_on = run(generator(&flags).args(&topics).args(["--headers"]));
    let expected = "the records of --headers false, and this command says true";
    assert!(text(&run_on.stderr).contains(expected), "{}", text(&run_on.stderr));
}

fn wait_for(mut until: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !until() {
        assert!(begin.elapsed() < limit(60), "waited in vain");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_log_that_grows_is_a_beginning_and_a_stopped_run_is_whole() {
    let topics = topic_flags("v-grows");
    let mut args: Vec<String> =
        ["--events-per-second", "300", "--bootstrap-servers", &bootstrap()].map(String::from).into();
    args.extend(topics);
    let live = generator(&[]).args(&args).stderr(Stdio::piped()).spawn().unwrap();
    let rate = ["--events-per-second", "300"];
    let prefix = [rate.as_slice(), &["--prefix"]].concat();
    let mut seen = 0;
    wait_for(|| {
        let mut command = generator(&["verify", "--report", "json", "--bootstrap-servers", &bootstrap()]);
        let output = run(command.args(topic_flags("v-grows")).args(&prefix));
        // Until the topics are there.
        let Ok(verdict) = serde_json::from_slice::<Value>(&output.stdout) else { return false };
        assert_eq!((counts(&verdict), output.status.code()), (vec![], Some(0)), "{verdict:#}");
        let records = verdict["records"].as_u64().unwrap();
        assert!(records >= seen, "{verdict:#}");
        seen = records;
        seen > 3_000
    });
    signal(&live, "-INT");
    let output = live.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (verdict, code) = verify("v-grows", &rate);
    assert_eq!((counts(&verdict), code), (vec![], 0), "{verdict:#}");
    assert_eq!(verdict["end"], "stopped", "{verdict:#}");
    assert_printed_command_verifies(&text(&output.stderr));
}

/// Runs the command that a report prints.
fn assert_printed_command_verifies(report: &str) {
    let line = report.lines().find_map(|line| line.strip_prefix("verify with  ")).unwrap_or_else(|| panic!("{report}"));
    let program = Path::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    let path = format!("{}:{}", program.parent().unwrap().display(), env::var("PATH").unwrap());
    let output = run(Command::new("bash").args(["-c", line]).env("PATH", path));
    assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("verified "), "{}", text(&output.stdout));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn the_command_that_a_run_prints_verifies_what_it_wrote() {
    let plain = ["--fast", "--count", "3000"];
    let special = [
        "--fast",
        "--seed",
        "7",
        "--epoch",
        "2020-02-29T12:00:00Z",
        "--events-per-second",
        "2500.5",
        "--win-rate",
        "0.5",
        "--users",
        "4000",
        "--key-by",
        "request",
        "--headers",
        "--from",
        "2020-02-29T12:00:07.001Z",
        "--duration",
        "1s",
        "--partitions",
        "4",
        "-X",
        "client.id=it's me",
    ];
    for (prefix, args) in [("v-line-1", plain.as_slice()), ("v-line-2", &special)] {
        let topics = topic_flags(prefix);
        let mut command = generator(&["--bootstrap-servers", &bootstrap()]);
        let output = run(command.args(&topics).args(args));
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_printed_command_verifies(&text(&output.stderr));
    }
    // A bounded window that a signal left in the middle is whole as far as it goes.
    let topics = topic_flags("v-line-3");
    let mut ours = generator(&["--bootstrap-servers", &bootstrap(), "--speed", "40", "--count", "100000"]);
    let ours = ours.args(&topics).stderr(Stdio::piped()).spawn().unwrap();
    wait_for(|| {
        let args = ["verify", "--prefix", "--report", "json", "--bootstrap-servers", &bootstrap()];
        let output = run(generator(&args).args(&topics));
        serde_json::from_slice::<Value>(&output.stdout)
            .is_ok_and(|verdict| verdict["records"].as_u64().unwrap() > 1_000)
    });
    signal(&ours, "-TERM");
    let output = ours.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    assert_printed_command_verifies(&text(&output.stderr));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn topics_that_are_not_there_or_empty_are_said_to_be() {
    let (bootstrap, topics) = (bootstrap(), topic_flags("v-none"));
    let verify =
        |args: &[&str]| run(generator(&["verify", "--bootstrap-servers", &bootstrap]).args(&topics).args(args));
    let gone = verify(&[]);
    assert_eq!(gone.status.code(), Some(3), "{}", text(&gone.stderr));
    assert!(text(&gone.stderr).contains("there is no topic `v-none-bid-requests`"), "{}", text(&gone.stderr));
    create(&layout("v-none"));
    let empty = verify(&[]);
    assert_eq!(empty.status.code(), Some(3), "{}", text(&empty.stderr));
    assert!(text(&empty.stderr).contains("there are no records"), "{}", text(&empty.stderr));
    let asked = verify(&["--count", "10", "--report", "json"]);
    let verdict: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let expected =
        Stream::new(&StreamSpec::default(), &layout("v-none")).records(Window::auctions(0, 10)).count() as u64;
    assert_eq!((counts(&verdict), asked.status.code()), (vec![("missing", expected)], Some(1)), "{verdict:#}");
    // A log that grows may hold nothing yet, but nothing is proven by it.
    let growing = verify(&["--count", "10", "--prefix"]);
    assert_eq!(growing.status.code(), Some(3), "{}", text(&growing.stderr));
    assert!(text(&growing.stdout).contains("UNVERIFIED   nothing was compared"), "{}", text(&growing.stdout));
}
