//! Resuming from the log and sharing its partitions, on a real Apache Kafka: `make test-kafka`.
//!
//! Each case ends in a log that is equal, by kcat, to that of one run that nothing interrupted, or in a refusal that names the
//! record and the ways out, and leaves the log as it was.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::{
    Log, Seen, assert_log, bootstrap, delete_before, delete_group, expected, generator, group, kafka_tool, layout,
    read_by_kcat, run, stderr, succeed, topic_flags, wait_for_records,
};
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{EventsPerSecond, Layout, Partitions, Rate, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::generator::timestamp::Timestamp;
use mock_data_gen::player::pace::wall_clock_us;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// One case: topics of its own, and the options of the run that fills them.
struct Case {
    prefix: String,
    args: Vec<String>,
    spec: StreamSpec,
    layout: Layout,
    window: Window,
}

impl Case {
    /// `--fast --count 3000` of the default stream, clicks so often that every partition gets some.
    fn new(prefix: &str) -> Self {
        let args = ["--fast", "--count", "3000", "--click-rate", "0.5"].map(str::to_owned).into();
        let spec = StreamSpec { click_rate: Rate::from_percent(50), ..StreamSpec::default() };
        Self {
            prefix: prefix.to_owned(),
            args,
            spec,
            layout: layout(prefix, [6; 4]),
            window: Window::auctions(0, 3_000),
        }
    }

    fn create(&self) {
        for topic in self.layout.topics() {
            create(topic.name.as_str(), topic.partitions.count());
        }
    }

    fn topic(&self, stage: Stage) -> &str {
        self.layout.topic(stage).name.as_str()
    }

    fn run(&self, more: &[&str]) -> Output {
        let args: Vec<&str> = self.args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        run(generator(&args).args(topic_flags(&self.prefix)))
    }

    fn records(&self) -> Vec<Record> {
        Stream::new(&self.spec, &self.layout).records(self.window).collect()
    }

    /// What all four topics hold, by kcat.
    fn logs(&self) -> [Log; 4] {
        Stage::ALL.map(|stage| read_by_kcat(self.topic(stage)))
    }

    fn assert_whole(&self) {
        let whole = expected(&self.spec, &self.layout, self.window);
        for (stage, whole) in Stage::ALL.into_iter().zip(&whole) {
            assert_log(self.topic(stage), "kcat", &read_by_kcat(self.topic(stage)), whole);
        }
    }

    /// The command goes on, and in the end the log is an uninterrupted run's.
    fn assert_goes_on(&self, more: &[&str]) -> String {
        let output = self.run(more);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("resumes      after "), "{}", stderr(&output));
        self.assert_whole();
        stderr(&output)
    }

    /// The command refuses, says why and the ways out, and writes nothing.
    fn assert_refuses(&self, more: &[&str], why: &[&str]) {
        let before = self.logs();
        let output = self.run(more);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{message}");
        for part in why.iter().chain(&["nothing was written", "--resume never"]) {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
        assert!(before == self.logs(), "something was written");
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn addresses_that_are_dead_stop_no_restart() {
    let case = Case::new("deadaddress");
    assert!(case.run(&[]).status.success());
    let brokers = format!("127.0.0.1:1,{},127.0.0.1:2", bootstrap());
    // The client tries them in an order of its own.
    for _ in 0..4 {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        let output =
            run(command.args(["--bootstrap-servers", &brokers]).args(&case.args).args(topic_flags(&case.prefix)));
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(stderr(&output).contains("nothing to do"), "{}", stderr(&output));
    }
}

/// Makes a topic as the program does. Kafka's own tool takes a second for each.
fn create(topic: &str, partitions: u32) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    let new = NewTopic::new(topic, partitions.cast_signed(), TopicReplication::Fixed(1)).set("retention.ms", "-1");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let created = runtime.block_on(admin.create_topics(&[new], &AdminOptions::new())).unwrap();
    assert!(created[0].is_ok(), "{created:?}");
    // The controller has it; a busy broker learns of it a moment later.
    let is_known = || {
        let metadata = admin.inner().fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
        metadata.topics()[0].partitions().len() == partitions as usize
    };
    while !is_known() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn producer() -> BaseProducer {
    ClientConfig::new().set("bootstrap.servers", bootstrap()).set("enable.idempotence", "true").create().unwrap()
}

/// Appends records of the stream as they are, by a producer of the test's own.
fn append<'a>(layout: &Layout, records: impl IntoIterator<Item = &'a Record>) {
    let producer = producer();
    for record in records {
        let mut message = BaseRecord::to(layout.topic(record.stage).name.as_str())
            .partition(record.partition.cast_signed())
            .timestamp(record.timestamp_ms)
            .key(record.key.as_slice())
            .payload(record.value.as_slice());
        if !record.headers.is_empty() {
            let add = |headers: OwnedHeaders, header: &mock_data_gen::generator::record::Header| {
                headers.insert(Header { key: header.name, value: Some(&header.value) })
            };
            message = message.headers(record.headers.iter().fold(OwnedHeaders::new(), add));
        }
        producer.send(message).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// Appends a record that is none of the stream's.
fn append_foreign(topic: &str, partition: u32) {
    let mut kcat = std::process::Command::new("kcat")
        .args(["-b", &bootstrap(), "-P", "-t", topic, "-p", &partition.to_string(), "-K", "|"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    kcat.stdin.take().unwrap().write_all(b"nobody|knows\n").unwrap();
    assert!(kcat.wait().unwrap().success());
}

fn of_partition(stage: Stage, partition: u32) -> impl Fn(&&Record) -> bool {
    move |record| (record.stage, record.partition) == (stage, partition)
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn partitions_at_different_places_go_on_each_behind_its_own_tail() {
    for headers in [false, true] {
        let mut case = Case::new(if headers { "places-headers" } else { "places" });
        case.spec.headers = headers;
        if headers {
            case.args.push("--headers".to_owned());
        }
        case.create();
        // Each partition holds another share of its records; some hold none, one all.
        let records = case.records();
        let mut held = Vec::new();
        for stage in Stage::ALL {
            for partition in 0..6 {
                let all: Vec<&Record> = records.iter().filter(of_partition(stage, partition)).collect();
                assert!(all.len() > 5, "{stage}/{partition} gets {} records", all.len());
                let share = [0, 1, 50, 97, 99, 100][(partition as usize + stage.index()) % 6];
                held.extend_from_slice(&all[..all.len() * share / 100]);
            }
        }
        append(&case.layout, held.iter().copied());
        let message = case.assert_goes_on(&["--report", "text"]);
        assert!(message.contains("records that are there already, from 2026-01-01T"), "{message}");

        // The same command again has nothing to do.
        let again = case.run(&[]);
        assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
        assert!(stderr(&again).contains("nothing to do: the window is complete, its "), "{}", stderr(&again));
        let json = case.run(&["--report", "json", "--resume", "require"]);
        let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!((&report["records"], &report["acked"]), (&0.into(), &0.into()), "{report}");
        assert_eq!(report["resumed"]["records"], records.len(), "{report}");
        case.assert_whole();
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn clicks_that_have_not_happened_yet_leave_partitions_empty() {
    let mut case = Case::new("rare");
    case.args = ["--fast", "--count", "3000"].map(str::to_owned).into();
    case.spec.click_rate = StreamSpec::default().click_rate;
    case.create();
    let records = case.records();
    let empty = (0..6).filter(|&p| !records.iter().any(|record| of_partition(Stage::Click, p)(&record))).count();
    assert!(empty > 0, "every partition has clicks");
    append(&case.layout, &records[..1_000]);
    case.assert_goes_on(&[]);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn empty_topics_begin_and_require_refuses_them() {
    let case = Case::new("begin");
    let output = case.run(&["--resume", "require"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume require: the topics hold no records"), "{}", stderr(&output));
    let output = case.run(&["--resume", "auto"]);
    assert!(output.status.success(), "{}", stderr(&output));
    case.assert_whole();
}

/// Plays live until it is ended by a signal after a while, and gives what it said.
fn play_live(prefix: &str, args: &[&str], signal: &str, span: Duration) -> String {
    play_live_until(prefix, args, signal, || std::thread::sleep(span))
}

/// The same, with the signal when `wait` returns.
fn play_live_until(prefix: &str, args: &[&str], signal: &str, wait: impl FnOnce()) -> String {
    let mut ours = generator(args).args(topic_flags(prefix)).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_records(&format!("{prefix}-bid-requests"), &mut ours);
    wait();
    succeed(std::process::Command::new("kill").args([signal, &ours.id().to_string()]));
    stderr(&ours.wait_with_output().unwrap())
}

/// How many records the requests' topic holds.
fn requests(prefix: &str) -> usize {
    read_by_kcat(&format!("{prefix}-bid-requests")).values().map(Vec::len).sum()
}

/// Waits until the requests' topic holds so many records, or a minute has passed.
fn wait_for_requests(prefix: &str, count: usize) {
    let begin = Instant::now();
    while requests(prefix) < count && begin.elapsed() < limit(60) {
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// The log is a prefix of the window that begins with its first request.
fn assert_prefix_from_its_head(spec: &StreamSpec, layout: &Layout) {
    assert_logs_begin_the_window(
        spec,
        layout,
        &Stage::ALL.map(|stage| read_by_kcat(layout.topic(stage).name.as_str())),
    );
}

/// What was read is, partition by partition, a prefix of the window that begins with the first request that was read.
fn assert_logs_begin_the_window(spec: &StreamSpec, layout: &Layout, logs: &[Log; 4]) {
    let stream = Stream::new(spec, layout);
    let heads = logs[0].values().map(|records| (records[0].1, &records[0].3));
    let ordinals = heads.map(|(time, key)| stream.locate(Stage::Request, time, key.as_bytes())[0].ordinal);
    let start = ordinals.min().unwrap();
    let requests: usize = logs[0].values().map(Vec::len).sum();
    let whole = expected(spec, layout, Window::auctions(start, requests as u64 + 20_000));
    for (log, whole) in logs.iter().zip(&whole) {
        for (partition, seen) in log {
            let prefix: &[Seen] = &whole[partition][..seen.len()];
            assert_eq!(seen, prefix, "partition {partition}");
        }
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_window_from_now_is_found_again_within_its_first_seconds_and_after_hours() {
    let spec = |rate: &str| StreamSpec { events_per_second: rate.parse().unwrap(), ..StreamSpec::default() };
    // Killed right after the first record, and again and again.
    for round in 0..4 {
        let span = Duration::from_millis(400 * round);
        play_live("now", &["--events-per-second", "200"], "-KILL", span);
    }
    let said = play_live("now", &["--events-per-second", "200"], "-INT", Duration::from_secs(4));
    assert!(said.contains("resumes      after "), "{said}");
    assert_prefix_from_its_head(&spec("200"), &layout("now", [6; 4]));

    // Hours ago, by an earlier run that was stopped: two hours of one auction a second, from three hours ago.
    let layout = layout("hours", [6; 4]);
    let hour_us = 3_600_000_000;
    let stream = Stream::new(&spec("1"), &layout);
    let start = stream.auctions().first_from_ms((wall_clock_us() - 3 * hour_us) / 1_000);
    layout.topics().iter().for_each(|topic| create(topic.name.as_str(), 6));
    let until_ms = (wall_clock_us() - hour_us) / 1_000;
    let earlier: Vec<Record> =
        stream.records(Window::unbounded(start)).take_while(|record| record.emit_ms < until_ms).collect();
    append(&layout, &earlier);
    let live = ["--events-per-second", "1"];
    let hole = run(generator(&live).args(["--catch-up", "30m"]).args(topic_flags("hours")));
    assert_eq!(hole.status.code(), Some(3), "{}", stderr(&hole));
    let message = stderr(&hole);
    for part in ["the topics end 59m", "larger than --catch-up 30m", "nothing was written"] {
        assert!(
            message.contains(part) || part == "the topics end 59m" && message.contains("the topics end 1h"),
            "{message}"
        );
    }
    let before = earlier.iter().filter(|record| record.stage == Stage::Request).count();
    let said = play_live_until("hours", &live, "-INT", || wait_for_requests("hours", before + 3_600));
    assert!(said.contains(&format!("resumes      after {} records", grouped(earlier.len()))), "{said}");
    assert_prefix_from_its_head(&spec("1"), &layout);
    let seen: usize = Stage::ALL
        .iter()
        .map(|&stage| read_by_kcat(layout.topic(stage).name.as_str()))
        .map(|log| log.values().map(Vec::len).sum::<usize>())
        .sum();
    assert!(seen > earlier.len() + 3_600, "the hole was not filled: {seen} records");
}

/// A backfill that goes on as live data, killed in its backfill: the start is three days before another now, and the hole was asked for.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_start_before_now_is_found_again_and_its_hole_is_filled_unasked() {
    let spec = StreamSpec { events_per_second: "0.05".parse().unwrap(), ..StreamSpec::default() };
    let layout = layout("before-now", [6; 4]);
    let stream = Stream::new(&spec, &layout);
    let day_ms = 24 * 3_600_000;
    let now_ms = wall_clock_us() / 1_000;
    let start = stream.auctions().first_from_ms(now_ms - 3 * day_ms);
    layout.topics().iter().for_each(|topic| create(topic.name.as_str(), 6));
    let until_ms = now_ms - 2 * day_ms - day_ms / 2;
    let earlier: Vec<Record> =
        stream.records(Window::unbounded(start)).take_while(|record| record.emit_ms < until_ms).collect();
    append(&layout, &earlier);
    let live = ["--events-per-second", "0.05"];
    let unasked = run(generator(&live).args(topic_flags("before-now")));
    assert_eq!(unasked.status.code(), Some(3), "{}", stderr(&unasked));
    assert!(stderr(&unasked).contains("larger than --catch-up 1day"), "{}", stderr(&unasked));
    let asked = [&live[..], &["--from", "now-3d"]].concat();
    let before = earlier.iter().filter(|record| record.stage == Stage::Request).count();
    // Two and a half days of an auction in twenty seconds.
    let said = play_live_until("before-now", &asked, "-INT", || wait_for_requests("before-now", before + 10_000));
    assert!(said.contains(&format!("resumes      after {} records", grouped(earlier.len()))), "{said}");
    assert!(requests("before-now") >= before + 10_000);
    assert_prefix_from_its_head(&spec, &layout);
}

fn grouped(number: usize) -> String {
    mock_data_gen::log::count::grouped(number as u64)
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn heads_and_whole_partitions_that_retention_removed_are_known() {
    let case = Case::new("removed");
    case.create();
    let records = case.records();
    let written = &records[..records.len() / 2];
    append(&case.layout, written);
    let count = |stage, partition| written.iter().filter(of_partition(stage, partition)).count() as i64;
    // Heads of some, all of others; clicks/2 whole.
    let heads = [(Stage::Request, 0), (Stage::Request, 1), (Stage::Response, 3), (Stage::Click, 4)];
    let emptied = [(Stage::Request, 5), (Stage::Impression, 1), (Stage::Click, 2)];
    let mut deleted: Vec<(&str, u32, i64)> =
        heads.iter().map(|&(stage, p)| (case.topic(stage), p, count(stage, p) / 2)).collect();
    deleted.extend(emptied.iter().map(|&(stage, p)| (case.topic(stage), p, count(stage, p))));
    delete_before(&deleted);
    let output = case.run(&[]);
    assert!(output.status.success(), "{}", stderr(&output));
    // What is left is, at its offsets, the whole window's.
    let whole = expected(&case.spec, &case.layout, case.window);
    for (stage, log) in Stage::ALL.into_iter().zip(case.logs()) {
        for (partition, whole) in &whole[stage.index()] {
            let low = deleted.iter().find(|d| (d.0, d.1) == (case.topic(stage), *partition)).map_or(0, |d| d.2);
            assert_eq!(log[partition], whole[usize::try_from(low).unwrap()..], "{stage}/{partition} from {low} on");
        }
    }
    // Without a known start and the offsets of the run's group, an emptied partition cannot be placed.
    delete_group(&case.layout, &case.spec);
    delete_before(&[(case.topic(Stage::Click), 2, log_end(&case, Stage::Click, 2))]);
    case.assert_refuses_now();
}

/// Retention removes everything that the topics hold; before, a reader takes it over.
fn read_and_remove(layout: &Layout, life: &mut [Log; 4]) {
    let mut ends = Vec::new();
    for (stage, life) in Stage::ALL.into_iter().zip(life) {
        let topic = layout.topic(stage).name.as_str();
        for (partition, seen) in read_by_kcat(topic) {
            ends.push((topic, partition, -1));
            let life = life.entry(partition).or_default();
            // Offsets count records: transactions' ends take some, too.
            let known = life.len() as i64;
            life.extend((known..).zip(seen).map(|(offset, seen)| (offset, seen.1, seen.2, seen.3, seen.4)));
        }
    }
    delete_before(&ends);
}

/// What the third use meets each week: heads are cut, rare partitions are emptied, and some have never held a record.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_live_run_from_now_is_resumed_after_retention_has_removed_everything() {
    for delivery in ["idempotent", "exactly-once"] {
        let prefix = format!("retention-{delivery}");
        let spec = StreamSpec { events_per_second: EventsPerSecond::new(100), ..StreamSpec::default() };
        let layout = layout(&prefix, [6; 4]);
        let args = ["--events-per-second", "100", "--delivery", delivery];
        let mut life: [Log; 4] = Default::default();
        play_live_until(&prefix, &args, "-KILL", || wait_for_requests(&prefix, 700));
        for signal in ["-KILL", "-INT", "-KILL"] {
            read_and_remove(&layout, &mut life);
            let said = play_live_until(&prefix, &args, signal, || wait_for_requests(&prefix, 500));
            if signal == "-INT" {
                assert!(said.contains("the offsets of group"), "{said}");
            }
        }
        read_and_remove(&layout, &mut life);
        assert!(life[0].values().map(Vec::len).sum::<usize>() > 2_000, "too little was written");
        assert_logs_begin_the_window(&spec, &layout, &life);
        // Other tools see where the run is.
        let group = group(&layout, &spec);
        let tool = "consumer.group.ConsumerGroupCommand";
        let described = kafka_tool(&[tool, "--bootstrap-server", &bootstrap(), "--describe", "--group", &group]);
        assert!(described.contains(layout.topic(Stage::Request).name.as_str()), "{described}");
        // The control: without its offsets nobody can tell.
        delete_group(&layout, &spec);
        let refused = run(generator(&args).args(topic_flags(&prefix)));
        assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("where a window from `now` began cannot be told"), "{}", stderr(&refused));
    }
}

fn log_end(case: &Case, stage: Stage, partition: u32) -> i64 {
    expected(&case.spec, &case.layout, case.window)[stage.index()][&partition].len() as i64
}

impl Case {
    /// With `--from now` and a removed head, what depends on the start is refused.
    fn assert_refuses_now(&self) {
        let before = self.logs();
        let args = ["--fast", "--from", "now", "--click-rate", "0.5"];
        let until = Timestamp(wall_clock_us() / 1_000 + 600_000).to_string();
        for (more, why) in [
            (["--count", "3000"], "where a window from `now` began cannot be told, nor where it ends"),
            (["--to", &until], "retention has removed all of its records, and a window from `now`"),
        ] {
            let output = run(generator(&args).args(more).args(topic_flags(&self.prefix)));
            assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
            assert!(stderr(&output).contains(why) && stderr(&output).contains("--from"), "{}", stderr(&output));
        }
        assert!(before == self.logs(), "something was written");
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_drained_window_is_not_extended_and_a_larger_one_not_cut() {
    let mut case = Case::new("drained");
    // So fast that children of the window's end fall between those of what would follow.
    case.args =
        ["--fast", "--count", "3000", "--click-rate", "0.5", "--events-per-second", "1000"].map(str::to_owned).into();
    case.spec.events_per_second = EventsPerSecond::new(1_000);
    assert!(case.run(&[]).status.success());
    case.assert_whole();
    let extended = ["this log was written by a window that ends at auction 3000 (2026-01-01T00:00:0"];
    case.args[2] = "6000".to_owned();
    case.assert_refuses(&[], &extended);
    case.args[2] = "2000".to_owned();
    case.assert_refuses(&[], &["stands behind the window, which ends before auction 2000"]);
    case.args[2] = "3000".to_owned();
    assert!(stderr(&case.run(&[])).contains("nothing to do"));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn foreign_records_before_between_and_after_ours_are_refused_by_name() {
    for place in ["before", "between", "after"] {
        let case = Case::new(&format!("foreign-{place}"));
        case.create();
        let records = case.records();
        let ours: Vec<&Record> = records.iter().filter(of_partition(Stage::Response, 4)).collect();
        let (first, rest) = ours.split_at(if place == "before" { 0 } else { 100 });
        append(&case.layout, first.iter().copied());
        append_foreign(case.topic(Stage::Response), 4);
        if place != "after" {
            append(&case.layout, rest[..50].iter().copied());
        }
        let at = format!(
            "topic `{}`, partition 4, offset {}: the record with key `nobody`",
            case.topic(Stage::Response),
            first.len()
        );
        case.assert_refuses(&[], &[&at, "is not of this stream"]);
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_damaged_tail_under_a_matching_last_record_is_refused_by_name() {
    type Damage = fn(&mut Vec<Record>);
    let cases: [(&str, Damage, &str); 4] = [
        ("lost", |records| drop(records.remove(30)), "records are missing"),
        ("twice", |records| records.insert(31, records[30].clone()), "it is repeated, or out of order"),
        ("swapped", |records| records.swap(30, 31), "records are missing"),
        ("altered", |records| records[30].value[20] ^= 1, "has another value than the stream's"),
    ];
    for (name, damage, why) in cases {
        let case = Case::new(&format!("damage-{name}"));
        case.create();
        let records = case.records();
        let mut ours: Vec<Record> = records.iter().filter(of_partition(Stage::Request, 2)).take(300).cloned().collect();
        damage(&mut ours);
        append(&case.layout, &ours);
        let offset = if name == "twice" { 31 } else { 30 };
        let at =
            format!("topic `{}`, partition 2, offset {offset}: the request of auction ", case.topic(Stage::Request));
        case.assert_refuses(&[], &[&at, why]);
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_batch_twice_is_refused_however_long_it_is() {
    // The last 10,000 records of a partition are what one writer has in flight at most: stored twice, each half is sound.
    let mut case = Case::new("batch");
    case.layout = layout("batch", [1; 4]);
    case.args[2] = "30000".to_owned();
    case.window = Window::auctions(0, 30_000);
    case.create();
    let records = case.records();
    let requests: Vec<&Record> = records.iter().filter(of_partition(Stage::Request, 0)).take(15_000).collect();
    append(&case.layout, requests.iter().copied());
    append(&case.layout, requests[5_000..].iter().copied());
    let at = format!("topic `{}`, partition 0, offset 15000: the request of auction 5000 ", case.topic(Stage::Request));
    case.assert_refuses(&[], &[&at, "it is repeated"]);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn topics_deleted_recreated_or_given_more_partitions_are_refused() {
    let mut case = Case::new("changed");
    case.args[2] = "260000".to_owned();
    assert!(case.run(&[]).status.success());
    let topics = ["TopicCommand", "--bootstrap-server", &bootstrap()];
    let clicks = case.topic(Stage::Click).to_owned();
    kafka_tool(&[&topics[..], &["--delete", "--topic", &clicks]].concat());
    let begin = Instant::now();
    let output = loop {
        // The broker takes a moment to forget it.
        let output = case.run(&[]);
        if output.status.code() == Some(3) || begin.elapsed() > limit(10) {
            break output;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(
        message.contains(&format!("topic `{clicks}` does not exist, although `changed-bid-requests` holds")),
        "{message}"
    );
    create(&clicks, 6);
    case.assert_refuses(&[], &[&format!("topic `{clicks}`, partition "), "was it deleted and recreated?"]);

    let case = Case::new("grown");
    assert!(case.run(&[]).status.success());
    kafka_tool(&[&topics[..], &["--alter", "--topic", case.topic(Stage::Request), "--partitions", "8"]].concat());
    case.assert_refuses(&[], &["topic `grown-bid-requests`, partition ", " of 8: were partitions added?"]);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_small_topic_that_was_made_anew_gets_its_records_again() {
    let case = Case::new("anew");
    assert!(case.run(&[]).status.success());
    let clicks = case.topic(Stage::Click);
    kafka_tool(&["TopicCommand", "--bootstrap-server", &bootstrap(), "--delete", "--topic", clicks]);
    std::thread::sleep(Duration::from_secs(1));
    create(clicks, 6);
    // It cannot be told from clicks that were in flight when a writer was killed; the log ends as an uninterrupted run's.
    case.assert_goes_on(&[]);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn another_seed_rate_epoch_start_or_headers_are_refused() {
    let case = Case::new("options");
    assert!(case.run(&[]).status.success());
    let foreign = "is not of this stream: another program wrote it, or another seed, rate, epoch or key policy";
    case.assert_refuses(&["--seed", "43"], &["topic `options-bid-requests`, partition 0, offset 0", foreign]);
    case.assert_refuses(&["--events-per-second", "11"], &[foreign]);
    case.assert_refuses(&["--epoch", "2026-01-01T00:00:01Z"], &[foreign]);
    case.assert_refuses(&["--headers"], &["has another set of headers than the stream's"]);
    case.assert_refuses(&["--users", "99999"], &["has another value than the stream's"]);
    case.assert_refuses(
        &["--from", "2026-01-01T00:01:00Z"],
        &["stands before the window, which starts with auction 600"],
    );
    let mut later = Case::new("options-later");
    later.args.extend(["--from", "2026-01-01T00:01:00Z"].map(str::to_owned));
    assert!(later.run(&[]).status.success());
    later.args.truncate(5);
    later.args[2] = "4000".to_owned();
    later.assert_refuses(&[], &["but the window begins there with the request of auction"]);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn log_append_time_is_refused_before_the_log_is_read() {
    let case = Case::new("appendtime");
    case.create();
    append(&case.layout, &case.records()[..500]);
    let what = [
        "--entity-type",
        "topics",
        "--entity-name",
        case.topic(Stage::Request),
        "--alter",
        "--add-config",
        "message.timestamp.type=LogAppendTime",
    ];
    let address = bootstrap();
    kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &address], &what[..]].concat());
    let output = case.run(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("has message.timestamp.type=LogAppendTime"), "{}", stderr(&output));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_second_copy_of_a_live_run_is_noticed_within_ten_seconds() {
    let args = ["--events-per-second", "100"];
    let first = generator(&args).args(topic_flags("copies2")).stderr(Stdio::piped()).spawn();
    let mut first = first.unwrap();
    wait_for_records("copies2-bid-requests", &mut first);
    // It sees that the log does not stand still, and leaves the first one alone.
    let second = run(generator(&args).args(topic_flags("copies2")));
    assert_eq!(second.status.code(), Some(4), "{}", stderr(&second));
    assert!(stderr(&second).contains("another writer is at work: topic `copies2-"), "{}", stderr(&second));
    assert!(first.try_wait().unwrap().is_none(), "the first copy ended");
    // One that does not look writes, and both learn of it by the delivery offsets.
    let begin = Instant::now();
    let third = run(generator(&args).args(["--resume", "never"]).args(topic_flags("copies2")));
    let output = first.wait_with_output().unwrap();
    assert!(begin.elapsed() < limit(10), "noticed after {:?}", begin.elapsed());
    for output in [&third, &output] {
        assert_eq!(output.status.code(), Some(4), "{}", stderr(output));
        assert!(
            stderr(output).contains("another writer is at work, or a batch was stored twice"),
            "{}",
            stderr(output)
        );
    }
}

/// Stores the last records of a partition twice, as a broker does with a batch after a change of leaders.
fn double(case: &Case, stage: Stage, partition: u32, count: usize) {
    let records = case.records();
    let held: Vec<&Record> =
        records.iter().filter(|record| (record.stage, record.partition) == (stage, partition)).collect();
    append(&case.layout, held[held.len() - count..].iter().copied());
}

fn verify(case: &Case) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args([
        "verify",
        "--bootstrap-servers",
        &bootstrap(),
        "--click-rate",
        "0.5",
        "--from",
        "epoch",
        "--count",
        "3000",
    ]);
    run(command.args(topic_flags(&case.prefix)))
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_log_with_a_batch_that_stands_twice_is_refused_and_recreate_begins_anew() {
    let mut case = Case::new("recreate");
    case.layout = case.layout.with_partitions([6, 5, 4, 3].map(|count| Partitions::new(count).unwrap()));
    case.create();
    let kept = [
        "--entity-type",
        "topics",
        "--entity-name",
        "recreate-clicks",
        "--alter",
        "--add-config",
        "segment.bytes=1234567",
    ];
    kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap()], &kept[..]].concat());
    assert!(case.run(&[]).status.success());
    double(&case, Stage::Response, 2, 40);
    let why = ["recreate-bid-responses", "partition 2", "it is repeated", "librdkafka issue 4953", "--resume recreate"];
    case.assert_refuses(&[], &why);
    assert_eq!(verify(&case).status.code(), Some(1));
    // It says what would go, and leaves it.
    let check = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"))
        .args(["check", "--bootstrap-servers", &bootstrap(), "--resume", "recreate"])
        .args(&case.args)
        .args(topic_flags(&case.prefix))
        .output()
        .unwrap();
    assert!(stderr(&check).contains("--resume recreate deletes topic recreate-clicks with "), "{}", stderr(&check));
    assert_eq!(verify(&case).status.code(), Some(1));

    let output = case.run(&["--resume", "recreate"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let held = case.logs()[1].values().map(Vec::len).sum::<usize>();
    let deleted = format!(
        "deleting topic recreate-bid-responses with {},{:03} offsets",
        (held + 40) / 1_000,
        (held + 40) % 1_000
    );
    assert!(stderr(&output).contains(&deleted), "{deleted}: {}", stderr(&output));
    case.assert_whole();
    assert!(verify(&case).status.success());
    assert!(
        crate::support::settings("recreate-clicks").contains("segment.bytes=1234567"),
        "a topic's own setting is lost"
    );
    // Again, and on topics of which one is missing.
    for delivery in ["idempotent", "exactly-once"] {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let topics = [case.topic(Stage::Impression)];
        assert!(runtime.block_on(admin.delete_topics(&topics, &AdminOptions::new())).unwrap()[0].is_ok());
        let refused = case.run(&["--delivery", delivery]);
        assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("--resume recreate"), "{}", stderr(&refused));
        let output = case.run(&["--resume", "recreate", "--delivery", delivery]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(verify(&case).status.success());
        // That topic is created as one that never existed.
        case.layout = case.layout.with_partitions([6, 5, 6, 3].map(|count| Partitions::new(count).unwrap()));
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn the_end_of_a_killed_runs_transaction_is_not_written_into_recreated_topics() {
    let mut case = Case::new("recreate-open");
    let args = ["--delivery", "exactly-once", "--from", "epoch", "--speed", "1", "--events-per-second", "500"];
    let mut killed = generator(&args).args(topic_flags(&case.prefix)).stderr(Stdio::null()).spawn().unwrap();
    wait_for_records("recreate-open-bid-requests", &mut killed);
    std::thread::sleep(Duration::from_millis(500));
    killed.kill().unwrap();
    killed.wait().unwrap();
    case.args.retain(|arg| arg != "--fast");
    let output = case.run(&["--fast", "--resume", "recreate", "--delivery", "exactly-once"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(verify(&case).status.success(), "{}", stderr(&verify(&case)));
    // The first offset of a partition is that of its first record, not of somebody's control record.
    assert!(case.logs().iter().flatten().all(|(_, records)| records[0].0 == 0));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn shards_fill_the_same_partitions_and_each_may_crash_and_resume() {
    for workers in [2, 3, 5] {
        let mut case = Case::new(&format!("shards-{workers}"));
        case.layout = case.layout.with_partitions([6, 5, 4, 6].map(|count| Partitions::new(count).unwrap()));
        case.create();
        let records = case.records();
        // The first worker has crashed on its way: of each partition that it owns half is there.
        let owned = |record: &&Record| record.partition.is_multiple_of(workers);
        let held: Vec<&Record> = records.iter().filter(owned).collect();
        append(&case.layout, held[..held.len() / 2].iter().copied());
        let shards: Vec<String> = (0..workers).map(|index| format!("{index}/{workers}")).collect();
        std::thread::scope(|scope| {
            for shard in &shards {
                let case = &case;
                scope.spawn(move || {
                    let output = case.run(&["--shard", shard]);
                    assert!(output.status.success(), "{shard}: {}", stderr(&output));
                    let goes_on = stderr(&output).contains("resumes      after");
                    assert_eq!(goes_on, shard.starts_with("0/"), "{shard}: {}", stderr(&output));
                });
            }
        });
        case.assert_whole();
    }
    let output = Case::new("shards-2").run(&["--shard", "6/7"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("owns no partition"), "{}", stderr(&output));
}

/// Reading many short ranges, the client's position is often at a range's end while its last record is still being handled: a
/// record that was not looked at would be written a second time.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn the_last_records_of_many_small_partitions_are_read_and_not_written_again() {
    let flags = topic_flags("many-small");
    let args = ["--fast", "--count", "20000", "--partitions", "100"];
    let first = run(generator(&args).args(&flags));
    assert!(first.status.success(), "{}", stderr(&first));
    for _ in 0..3 {
        let again = run(generator(&args).args(&flags));
        assert!(again.status.success(), "{}", stderr(&again));
        assert!(stderr(&again).contains("nothing to do"), "{}", stderr(&again));
    }
    let spec = StreamSpec::default();
    let layout = layout("many-small", [100; 4]);
    for (stage, whole) in Stage::ALL.into_iter().zip(&expected(&spec, &layout, Window::auctions(0, 20_000))) {
        let topic = layout.topic(stage).name.as_str();
        assert_log(topic, "kcat", &read_by_kcat(topic), whole);
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_backfill_that_goes_on_live_is_resumed_at_its_explicit_start() {
    let spec = StreamSpec { events_per_second: EventsPerSecond::new(50), ..StreamSpec::default() };
    let from = Timestamp(wall_clock_us() / 1_000 - 600_000).to_string();
    let args = ["--events-per-second", "50", "--from", &from];
    play_live("backfill", &args, "-KILL", Duration::from_millis(300));
    // The backfill may be whole already: what is waited for is the second run's.
    let enough = requests("backfill").max(30_000) + 100;
    let said = play_live_until("backfill", &args, "-INT", || wait_for_requests("backfill", enough));
    assert!(said.contains("resumes      after "), "{said}");
    let layout = layout("backfill", [6; 4]);
    let logs = Stage::ALL.map(|stage| read_by_kcat(layout.topic(stage).name.as_str()));
    assert!(logs[0].values().map(Vec::len).sum::<usize>() > 30_000, "the backfill is incomplete");
    assert_prefix_from_its_head(&spec, &layout);
}
