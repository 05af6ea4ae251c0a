//! What tests against a real Apache Kafka share: the program on that broker, topics of a test's own, what a topic should hold
//! and what an independent reader finds in it, and brokers that may be killed.
//!
//! What a topic holds is read by Kafka's own console consumer and by kcat, never by our own client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::env;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use mock_data_gen::generator::spec::{Layout, Partitions, Stage, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::kafka::group_name;

use crate::patience::limit;

pub(crate) fn bootstrap() -> String {
    env::var("KAFKA_BOOTSTRAP").expect("no KAFKA_BOOTSTRAP: run this by `make test-kafka`")
}

pub(crate) fn generator(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(["--bootstrap-servers", &bootstrap()]).args(args);
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

pub(crate) fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn kafka_tool(args: &[&str]) -> String {
    succeed(Command::new("tests/kafka/broker").arg("tool").args(args))
}

/// The setting that bounds records' times, on brokers before 3.6 one for the past and the future.
pub(crate) fn time_bound(finer: &str) -> &str {
    if is_before((3, 6)) { TIME_DIFFERENCE } else { finer }
}

const TIME_DIFFERENCE: &str = "message.timestamp.difference.max.ms";

/// Whether the broker is older: `KAFKA_VERSION` is `tests/kafka/broker`'s.
pub(crate) fn is_before(version: (u32, u32)) -> bool {
    let asked = env::var("KAFKA_VERSION").unwrap_or_default();
    let mut parts = asked.split('.').map_while(|part| part.parse().ok());
    parts.next().zip(parts.next()).is_some_and(|asked| asked < version)
}

/// Topics of their own for a test, so that tests never meet.
pub(crate) fn topic_flags(prefix: &str) -> Vec<String> {
    let flag = |name: &str| [format!("--topic-{name}"), format!("{prefix}-{name}")];
    ["bid-requests", "bid-responses", "impressions", "clicks"].into_iter().flat_map(flag).collect()
}

pub(crate) fn layout(prefix: &str, partitions: [u32; 4]) -> Layout {
    let mut counts = partitions.into_iter();
    Layout::new(Layout::default().topics().clone().map(|topic| Topic {
        name: format!("{prefix}-{}", topic.name).parse().unwrap(),
        partitions: Partitions::new(counts.next().unwrap()).unwrap(),
    }))
    .unwrap()
}

/// A record as a reader shows it: offset, timestamp, headers, key, value.
pub(crate) type Seen = (i64, i64, Vec<String>, String, String);
/// Partitions of a topic.
pub(crate) type Log = BTreeMap<u32, Vec<Seen>>;

/// What the stream says that the topics hold, by stage.
pub(crate) fn expected(spec: &StreamSpec, layout: &Layout, window: Window) -> [Log; 4] {
    let mut logs: [Log; 4] = Default::default();
    for record in Stream::new(spec, layout).records(window) {
        let log = logs[record.stage.index()].entry(record.partition).or_default();
        let headers = record.headers.iter().map(|h| format!("{}={}", h.name, h.value)).collect();
        let (key, value) = (String::from_utf8(record.key).unwrap(), String::from_utf8(record.value).unwrap());
        log.push((log.len() as i64, record.timestamp_ms, headers, key, value));
    }
    logs
}

/// What kcat prints. Over a topic that is written to, and whose head was removed a moment before, it has been seen to read on for ever
/// (1.7.1), so it is started again then.
fn kcat(args: &[&str]) -> String {
    let seconds = limit(0).as_secs().to_string();
    for _ in 0..2 {
        let output = run(Command::new("timeout").args(["--signal=KILL", &seconds, "kcat"]).args(args));
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap();
        }
        assert!(output.status.code().is_none_or(|code| code == 137), "kcat {args:?}: {}", stderr(&output));
    }
    panic!("kcat {args:?} ended in none of two times within {seconds} s each");
}

/// Reads a whole topic with kcat.
pub(crate) fn read_by_kcat(topic: &str) -> Log {
    read_by_kcat_at(&bootstrap(), topic)
}

pub(crate) fn read_by_kcat_at(bootstrap: &str, topic: &str) -> Log {
    let format = "%p|%o|%T|%h|%k|%s\n";
    let text = kcat(&["-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", format]);
    let mut log = Log::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.splitn(6, '|').collect();
        let [partition, offset, time, headers, key, value] = fields[..] else { panic!("kcat wrote {line}") };
        let headers = headers.split(',').filter(|header| !header.is_empty()).map(str::to_owned).collect();
        let seen = (offset.parse().unwrap(), time.parse().unwrap(), headers, key.to_owned(), value.to_owned());
        log.entry(partition.parse().unwrap()).or_default().push(seen);
    }
    log
}

/// Reads `count` records of a topic with Kafka's own console consumer, read-committed.
pub(crate) fn read_by_console_consumer(topic: &str, count: usize) -> Log {
    let mut args = vec!["consumer.ConsoleConsumer", "--from-beginning", "--isolation-level", "read_committed"];
    let (bootstrap, count) = (bootstrap(), count.to_string());
    args.extend([
        "--bootstrap-server",
        &bootstrap,
        "--topic",
        topic,
        "--max-messages",
        &count,
        "--timeout-ms",
        "30000",
    ]);
    for property in ["partition", "offset", "timestamp", "headers", "key"] {
        let property: &str = match property {
            "partition" => "print.partition=true",
            "offset" => "print.offset=true",
            "timestamp" => "print.timestamp=true",
            "headers" => "print.headers=true",
            _ => "print.key=true",
        };
        args.extend(["--formatter-property", property]);
    }
    args.extend(["--formatter-property", "key.separator=|"]);
    let mut log = Log::new();
    for line in kafka_tool(&args).lines() {
        let fields: Vec<&str> = line.splitn(6, '|').collect();
        let [time, partition, offset, headers, key, value] = fields[..] else { panic!("the consumer wrote {line}") };
        let after = |text: &str, label: &str| text.strip_prefix(label).unwrap_or_else(|| panic!("{line}")).to_owned();
        let headers =
            headers.split(',').filter(|header| *header != "NO_HEADERS").map(|h| h.replacen(':', "=", 1)).collect();
        let (time, offset) = (after(time, "CreateTime:"), after(offset, "Offset:"));
        let seen = (offset.parse().unwrap(), time.parse().unwrap(), headers, key.to_owned(), value.to_owned());
        log.entry(after(partition, "Partition:").parse().unwrap()).or_default().push(seen);
    }
    log
}

pub(crate) fn assert_topics_hold(spec: &StreamSpec, layout: &Layout, window: Window) {
    for (stage, expected) in Stage::ALL.into_iter().zip(expected(spec, layout, window)) {
        let topic = layout.topic(stage).name.as_str();
        let count = expected.values().map(Vec::len).sum();
        assert!(count > 0, "{topic}: the test expects nothing");
        assert_log(topic, "kcat", &read_by_kcat(topic), &expected);
        assert_log(topic, "the console consumer", &read_by_console_consumer(topic, count), &expected);
    }
}

pub(crate) fn assert_log(topic: &str, reader: &str, seen: &Log, expected: &Log) {
    assert_eq!(seen.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{topic}: partitions by {reader}");
    for (partition, expected) in expected {
        let seen = &seen[partition];
        for (seen, expected) in seen.iter().zip(expected) {
            assert_eq!(seen, expected, "{topic}/{partition} by {reader}");
        }
        assert_eq!(seen.len(), expected.len(), "{topic}/{partition} by {reader}: records");
    }
}

pub(crate) fn create_topic(name: &str, partitions: u32, configs: &[&str]) {
    let (bootstrap, partitions) = (bootstrap(), partitions.to_string());
    let mut args = vec!["TopicCommand", "--bootstrap-server", &bootstrap, "--create", "--topic", name];
    args.extend(["--partitions", &partitions]);
    // The tool does not know settings that are gone, whatever the broker does.
    let (gone, known): (Vec<&str>, Vec<&str>) = configs.iter().partition(|config| config.starts_with(TIME_DIFFERENCE));
    for config in known {
        args.extend(["--config", config]);
    }
    kafka_tool(&args);
    for config in gone {
        let what = ["--entity-type", "topics", "--entity-name", name, "--add-config", config];
        kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap, "--alter"], &what[..]].concat());
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A topic's own settings, as Kafka's tool shows them.
pub(crate) fn settings(topic: &str) -> String {
    let bootstrap = bootstrap();
    let what = ["--describe", "--entity-type", "topics", "--entity-name", topic];
    kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap], &what[..]].concat())
}

/// Waits until a topic holds something.
pub(crate) fn wait_for_records(topic: &str, writer: &mut Child) {
    wait_for_records_at(&bootstrap(), topic, writer);
}

/// The same, on a broker of the test's own.
pub(crate) fn wait_for_records_at(bootstrap: &str, topic: &str, writer: &mut Child) {
    let begin = Instant::now();
    while begin.elapsed() < limit(30) {
        if let Some(status) = writer.try_wait().unwrap() {
            let mut said = String::new();
            let _ = writer.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
            panic!("the writer ended too early: {status}\n{said}");
        }
        let seen = run(Command::new("kcat").args([
            "-b",
            bootstrap,
            "-C",
            "-t",
            topic,
            "-o",
            "beginning",
            "-c",
            "1",
            "-e",
            "-q",
        ]));
        if !seen.stdout.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{topic} stayed empty");
}

/// A broker of a test's own, which it may stop and start again.
pub(crate) struct OwnBroker {
    pub(crate) bootstrap: String,
    pub(crate) libs: String,
    pub(crate) data: String,
    pid: String,
    restarted: Option<Child>,
}

impl OwnBroker {
    pub(crate) fn start() -> Self {
        Self::start_by(&mut Command::new("tests/kafka/broker"))
    }

    pub(crate) fn start_by(script: &mut Command) -> Self {
        let state = succeed(script.arg("start"));
        let value = |name: &str| {
            let line = state.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
            line.unwrap_or_else(|| panic!("no {name} in {state}")).trim_matches(['\'', '"']).replace('\\', "")
        };
        Self {
            bootstrap: value("KAFKA_BOOTSTRAP"),
            libs: value("KAFKA_LIBS"),
            data: value("KAFKA_DATA"),
            pid: value("KAFKA_PID"),
            restarted: None,
        }
    }

    /// The processes of its nodes, as they were started.
    pub(crate) fn pids(&self) -> &str {
        &self.pid
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.restarted.as_ref().map_or(self.pid.clone(), |child| child.id().to_string());
        succeed(Command::new("kill").args([signal, &pid]));
    }

    /// Kills the broker and, after a while, starts it on the same data and port.
    pub(crate) fn restart(&mut self, away: Duration) {
        self.signal("-KILL");
        // ZooKeeper keeps its place for 6 s, and one that comes earlier ends.
        let has_zookeeper = Path::new(&self.data).join("zookeeper.pid").exists();
        std::thread::sleep(if has_zookeeper { Duration::from_secs(8) } else { away });
        let broker = Command::new("java")
            .args(["-Xmx512m", "-cp", &format!("{}/*", self.libs), "kafka.Kafka"])
            .arg(format!("{}/server.properties", self.data))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.restarted = Some(broker.unwrap());
    }

    /// Waits until the broker that was started again answers.
    pub(crate) fn wait_until_back(&mut self) {
        let begin = Instant::now();
        while !run(Command::new("kcat").args(["-b", &self.bootstrap, "-L"])).status.success() {
            let ended = self.restarted.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && begin.elapsed() < limit(60), "the broker is not back: {ended:?}");
        }
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        if let Some(mut restarted) = self.restarted.take() {
            let _ = restarted.kill();
            let _ = restarted.wait();
        }
        let mut stop = Command::new("tests/kafka/broker");
        let _ = stop.arg("stop").env("KAFKA_PID", &self.pid).env("KAFKA_DATA", &self.data).output();
    }
}

/// The group beside a run's topics, as the program names it.
pub(crate) fn group(layout: &Layout, spec: &StreamSpec) -> String {
    group_name(&Stream::new(spec, layout))
}

/// Removes the offsets that a run leaves beside its topics.
pub(crate) fn delete_group(layout: &Layout, spec: &StreamSpec) {
    let group = group(layout, spec);
    let tool = "consumer.group.ConsumerGroupCommand";
    kafka_tool(&[tool, "--bootstrap-server", &bootstrap(), "--delete", "--group", &group]);
}

/// Removes all records before an offset; -1 means all.
pub(crate) fn delete_before(offsets: &[(&str, u32, i64)]) {
    let partition = |(topic, partition, offset): &(&str, u32, i64)| {
        format!(r#"{{"topic":"{topic}","partition":{partition},"offset":{offset}}}"#)
    };
    let list: Vec<String> = offsets.iter().map(partition).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, format!(r#"{{"partitions":[{}],"version":1}}"#, list.join(","))).unwrap();
    let path = file.path().to_str().unwrap();
    kafka_tool(&["DeleteRecordsCommand", "--bootstrap-server", &bootstrap(), "--offset-json-file", path]);
}
