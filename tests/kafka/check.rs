//! `check`, and what a run says before its first record, against a real Apache Kafka.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use crate::support::{bootstrap, create_topic, kafka_tool, run, stderr, time_bound, topic_flags};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::MetadataPartition;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

fn check(prefix: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(["check", "--bootstrap-servers", &bootstrap(), "--fast"]);
    command.args(if more.contains(&"--count") { &[][..] } else { &["--count", "200"] });
    let output = run(command.args(topic_flags(prefix)).args(more));
    (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
}

fn topics() -> String {
    kafka_tool(&["TopicCommand", "--bootstrap-server", &bootstrap(), "--list"])
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn check_says_what_is_there_and_creates_nothing() {
    create_topic("seen-clicks", 3, &["retention.ms=-1"]);
    let (code, stdout, stderr) = check("seen", &[]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("topic        seen-bid-requests does not exist: a run creates it\n"), "{stdout}");
    assert!(stdout.contains("topic        seen-clicks has 3 partitions and 0 records\n"), "{stdout}");
    assert!(!topics().contains("seen-bid-requests"));
    assert!(!stderr.contains("warning"), "{stderr}");

    let (code, stdout, stderr) = check("seen", &["--key-by", "request"]);
    assert_eq!(code, Some(0), "{stderr}");
    let warning = "these differ: seen-bid-requests 6, seen-bid-responses 6, seen-impressions 6, seen-clicks 3";
    assert!(stderr.contains(warning), "{stderr}");
    assert!(stdout.contains("--key-by               request"), "{stdout}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn check_names_every_setting_that_does_not_fit_with_the_line_that_mends_it() {
    create_topic("misfit-impressions", 2, &["message.timestamp.type=LogAppendTime", "cleanup.policy=compact"]);
    let bound = time_bound("message.timestamp.before.max.ms");
    create_topic("misfit-clicks", 2, &[&format!("{bound}=3600000"), "retention.ms=604800000"]);
    let (code, _, stderr) = check("misfit", &[]);
    assert_eq!(code, Some(3), "{stderr}");
    let mends = [
        ("misfit-impressions", "message.timestamp.type=CreateTime"),
        ("misfit-impressions", "cleanup.policy=delete"),
        ("misfit-clicks", &format!("{bound}=9223372036854775807")),
        ("misfit-clicks", "retention.ms=-1"),
    ];
    for (topic, wanted) in mends {
        assert!(stderr.contains(&format!("--entity-name {topic} --add-config {wanted}")), "{stderr}");
    }
    for line in stderr.lines().filter_map(|line| line.strip_prefix("mend it with: kafka-configs.sh ")) {
        let words: Vec<&str> = line.split(' ').collect();
        kafka_tool(&[&["kafka.admin.ConfigCommand"], &words[..]].concat());
    }
    let (code, stdout, stderr) = check("misfit", &["--report", "json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(found["problems"], serde_json::json!([]));
    assert_eq!(found["topics"][3]["partitions"], 2);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn what_a_run_that_goes_on_will_not_write_is_no_problem() {
    // A live run never releases a record ahead of the clock, however far its end.
    let bound = time_bound("message.timestamp.after.max.ms");
    create_topic("ahead-clicks", 2, &[&format!("{bound}=3600000"), "retention.ms=-1"]);
    let live = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.args(["check", "--bootstrap-servers", &bootstrap()]).args(topic_flags("ahead")).args(more);
        run(&mut command)
    };
    let output = live(&["--duration", "48h"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    // Topics hold a window from long ago; their retention is a week now. A run goes on behind it with younger records.
    let old = ["--epoch", "2020-01-01T00:00:00Z"];
    let written = run(crate::support::generator(&["--fast", "--count", "200"]).args(old).args(topic_flags("aged")));
    assert!(written.status.success(), "{}", stderr(&written));
    let requests =
        ["--entity-type", "topics", "--entity-name", "aged-clicks", "--add-config", "retention.ms=604800000"];
    let alter = ["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap(), "--alter"];
    kafka_tool(&[&alter[..], &requests].concat());
    let (code, _, stderr) = check("aged", &old);
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_run_warns_of_uneven_topics_before_its_first_record() {
    create_topic("uneven-clicks", 3, &["retention.ms=-1"]);
    let mut command = crate::support::generator(&["--fast", "--count", "50", "--key-by", "request"]);
    let output = run(command.args(topic_flags("uneven")));
    assert!(output.status.success(), "{}", stderr(&output));
    let (warning, report) = (stderr(&output).find("these differ"), stderr(&output).find("done in"));
    assert!(warning.is_some() && warning < report, "{}", stderr(&output));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_property_that_is_given_often_is_listed_once() {
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[kafka]\nlinger.ms = 1\nclient.id = \"file\"\n").unwrap();
    let typed = ["-X", "linger.ms=2", "-X", "linger.ms=3", "--config", &config.path().display().to_string()];
    let (code, stdout, stderr) = check("often", &typed);
    assert_eq!(code, Some(0), "{stderr}");
    let line = |property: &str| {
        let lines = stdout.lines().filter(|line| line.starts_with(&format!("-X {property}")));
        lines.map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(line("linger.ms"), ["3 command line"], "{stdout}");
    assert_eq!(line("client.id").len(), 1, "{stdout}");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn no_secret_is_shown_wherever_it_comes_from() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "hunter2\n").unwrap();
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(config.path(), "[kafka]\nsasl.username = \"alice\"\nssl.key.password = \"hunter2\"\n").unwrap();
    for report in ["text", "json"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command
            .args(["check", "--bootstrap-servers", &bootstrap(), "--report", report])
            .args(["--config", &config.path().display().to_string()])
            .env("MDG_KAFKA_SASL_PASSWORD_FILE", secret.path())
            .env("RUST_LOG", "debug");
        let output = run(&mut command);
        let all = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{all}");
        assert!(all.contains("alice") && all.contains("MDG_KAFKA_SASL_PASSWORD_FILE") && all.contains("***"), "{all}");
        assert!(!all.contains("hunter2"), "{all}");
    }
}

/// Where each partition of a test's topics begins and ends.
fn offsets(prefix: &str) -> BTreeMap<(String, i32), (i64, i64)> {
    let client: BaseConsumer = client().create().unwrap();
    let metadata = client.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    let mut offsets = BTreeMap::new();
    for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with(&format!("{prefix}-"))) {
        for partition in topic.partitions().iter().map(MetadataPartition::id) {
            let found = client.fetch_watermarks(topic.name(), partition, Duration::from_secs(30)).unwrap();
            offsets.insert((topic.name().to_owned(), partition), found);
        }
    }
    offsets
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    // The end is where a reader of everything ends.
    config.set("bootstrap.servers", bootstrap()).set("group.id", "none").set("isolation.level", "read_uncommitted");
    config
}

/// Removes all records, but not so many ends of transactions behind them.
fn remove_records(prefix: &str, markers: i64) {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), (_, end)) in offsets(prefix) {
        list.add_partition_offset(&topic, partition, Offset::Offset((end - markers).max(0))).unwrap();
    }
    let admin: AdminClient<DefaultClientContext> = client().create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.delete_records(&list, &AdminOptions::new())).unwrap();
}

/// What `check` says of a run, and that run itself: both refuse alike, with the same words, or neither does.
fn foreseen(prefix: &str, args: &[&str]) -> String {
    let before = offsets(prefix);
    let (code, stdout, stderr) = check(prefix, args);
    assert_eq!(offsets(prefix), before, "check wrote something");
    let line = stdout.lines().find_map(|line| line.strip_prefix("a run        "));
    let line = line.unwrap_or_else(|| panic!("{stdout}{stderr}")).to_owned();
    let count: &[&str] = if args.contains(&"--count") { &[] } else { &["--count", "200"] };
    let output = run(crate::support::generator(&["--fast"]).args(count).args(topic_flags(prefix)).args(args));
    let refusal = |text: &str| text.find("error: ").map(|at| text[at..].to_owned());
    assert_eq!(code, output.status.code(), "{args:?}: {stdout}{stderr}\n{}", crate::support::stderr(&output));
    assert_eq!(refusal(&stderr), refusal(&crate::support::stderr(&output)), "{args:?}: {stdout}");
    line
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn check_says_what_a_run_does_then() {
    for delivery in ["idempotent", "exactly-once"] {
        let prefix = format!("foreseen-{delivery}");
        let with = |more: &[&'static str]| [&["--delivery", delivery], more].concat();
        let (code, stdout, stderr) = check(&prefix, &with(&[]));
        assert!(stdout.contains("\na run        begins: the topics hold no records\n"), "{stdout}{stderr}");
        assert_eq!(code, Some(0), "{stderr}");
        assert!(!topics().contains(&prefix));
        let (code, _, stderr) = check(&prefix, &with(&["--resume", "require"]));
        assert!(code == Some(3) && stderr.contains("--resume require: the topics hold no records"), "{stderr}");

        // One of two workers has written its partitions; then the other one's are written.
        let half = with(&["--shard", "0/2"]);
        let output =
            run(crate::support::generator(&["--fast", "--count", "200"]).args(topic_flags(&prefix)).args(&half));
        assert!(output.status.success(), "{}", crate::support::stderr(&output));
        let line = foreseen(&prefix, &with(&[]));
        assert!(line.starts_with("resumes after ") && line.contains(", from 2026-01-01T"), "{line}");
        assert_eq!(foreseen(&prefix, &with(&[])), "has nothing to do: the window is complete");
        for other in [["--seed", "43"], ["--count", "150"], ["--win-rate", "0.5"], ["--from", "2026-01-01T00:00:05Z"]] {
            let other = with(&other);
            assert_eq!(foreseen(&prefix, &other), "refuses, with exit code 3: see below", "{other:?}");
        }
        let (_, stdout, _) = check(&prefix, &with(&[]));
        let at_most = if delivery == "idempotent" { "" } else { "at most " };
        assert!(stdout.contains(&format!("bid-requests has 6 partitions and {at_most}200 records\n")), "{stdout}");

        // All records are removed; of a transaction its end is left.
        remove_records(&prefix, i64::from(delivery == "exactly-once"));
        let line = foreseen(&prefix, &with(&[]));
        let (_, stdout, _) = check(&prefix, &with(&[]));
        assert!(stdout.contains("bid-requests has 6 partitions and 0 records\n"), "{stdout}");
        assert_eq!(line, "has nothing to do: the window is complete");
    }
}
