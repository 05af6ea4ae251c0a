//! What each right of Kafka's ACLs is for, on a real Apache Kafka with an authorizer: `make test-kafka`. The table is in
//! `docs/guide/kafka-rights.md`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::{Command, Output};

use crate::support::{OwnBroker, is_before, kafka_tool, run, stderr};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;

/// Users by what they may do: on all topics of these tests, and on all transactions and groups of the program.
const GRANTS: [(&str, &[&str], &[&str]); 8] = [
    (
        "Write",
        &["--topic", "rights-"],
        &["writer", "creator", "reader-too", "exact", "groupless", "unread", "idempotent"],
    ),
    ("Read", &["--topic", "rights-"], &["reader-too", "exact", "groupless", "idempotent", "verifier"]),
    ("Create", &["--topic", "rights-"], &["creator", "mere-creator"]),
    ("Describe", &["--topic", "rights-"], &["mere-creator", "viewer"]),
    ("Delete", &["--topic", "rights-"], &["creator"]),
    ("DescribeConfigs", &["--topic", "rights-"], &["creator"]),
    ("Write", &["--transactional-id", "mock-data-gen-"], &["exact", "groupless", "unread"]),
    ("Read", &["--group", "mock-data-gen-"], &["exact", "unread", "idempotent"]),
];
const TOPICS: [&str; 4] = ["bid-requests", "bid-responses", "impressions", "clicks"];

struct Guarded {
    broker: OwnBroker,
    /// Where users log in.
    address: String,
}

impl Guarded {
    fn start() -> Self {
        let users: Vec<&str> = GRANTS.iter().flat_map(|(.., users)| *users).copied().chain(["nobody"]).collect();
        let users: Vec<String> = users.iter().map(|user| format!("user_{user}=\"secret\"")).collect();
        let users = users.join(" ");
        let extra = tempfile::NamedTempFile::new().unwrap();
        let properties = [
            "listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,USERS://127.0.0.1:@SECOND_PORT@",
            "advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,USERS://127.0.0.1:@SECOND_PORT@",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,USERS:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
            &format!(
                "listener.name.users.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            ),
        ];
        std::fs::write(extra.path(), properties.join("\n") + "\n").unwrap();
        let mut script = Command::new("tests/kafka/broker");
        let broker = OwnBroker::start_by(script.env("KAFKA_EXTRA_PROPERTIES", extra.path()));
        for (operation, on, users) in GRANTS {
            let users = users.iter().flat_map(|user| ["--allow-principal".to_owned(), format!("User:{user}")]);
            let users: Vec<String> = users.collect();
            let mut args =
                vec!["AclCommand", "--bootstrap-server", &broker.bootstrap, "--add", "--operation", operation];
            args.extend(on.iter().copied().chain(["--resource-pattern-type", "prefixed"]));
            args.extend(users.iter().map(String::as_str));
            kafka_tool(&args);
        }
        let properties = std::fs::read_to_string(format!("{}/server.properties", broker.data)).unwrap();
        let address = properties.split("USERS://").nth(1).unwrap().lines().next().unwrap().to_owned();
        Self { broker, address }
    }

    /// Topics that a user finds.
    fn create(&self, prefix: &str, settings: &[(&str, &str)]) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", &self.broker.bootstrap).create().unwrap();
        let names = TOPICS.map(|topic| format!("rights-{prefix}-{topic}"));
        let topics: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| {
                let topic = NewTopic::new(name, 2, TopicReplication::Fixed(1)).set("retention.ms", "-1");
                settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let created = runtime.block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
        assert!(created.iter().all(Result::is_ok), "{created:?}");
    }

    fn command(&self, user: &str, command: &str, prefix: &str, args: &str) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        program.args([command, "--bootstrap-servers", &self.address, "--topic-prefix", &format!("rights-{prefix}-")]);
        for property in ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.password=secret"] {
            program.args(["-X", property]);
        }
        program.args(["-X", &format!("sasl.username={user}")]).args(args.split_whitespace());
        run(&mut program)
    }

    fn assert_done(&self, user: &str, command: &str, prefix: &str, args: &str) -> String {
        let output = self.command(user, command, prefix, args);
        assert_eq!(output.status.code(), Some(0), "{user}: {command} {prefix} {args}: {}", stderr(&output));
        stderr(&output)
    }

    /// Reading the topics is denied.
    fn assert_unread(&self, user: &str, command: &str, prefix: &str, args: &str) {
        // A run reads all of them at once, `verify` one topic after the other.
        self.assert_denied(
            user,
            command,
            prefix,
            args,
            "Read on ",
            &format!("--operation Read --topic rights-{prefix}-bid-requests"),
        );
    }

    fn assert_denied(&self, user: &str, command: &str, prefix: &str, args: &str, right: &str, grant: &str) {
        let output = self.command(user, command, prefix, args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{user}: {command} {prefix} {args}: {said}");
        assert!(said.contains(&format!("the right {right}")), "{user}: {command} {prefix} {args}: {said}");
        let line = format!("kafka-acls.sh --bootstrap-server … --add --allow-principal User:… {grant}");
        assert!(said.contains(&line), "{user}: {command} {prefix} {args}: {said}");
    }
}

const SHORT: &str = "--fast --count 300";
const LONG: &str = "--fast --count 600";
const GROUPLESS: &str = "the run goes on without";

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn each_command_needs_its_rights_and_names_the_one_that_is_missing() {
    // Brokers with ZooKeeper have another authorizer.
    if is_before((3, 0)) {
        return;
    }
    let kafka = Guarded::start();
    let on = |topic: &str, operation: &str| {
        (format!("{operation} on topic `{topic}`"), format!("--operation {operation} --topic {topic}"))
    };
    let denied = |user, command, prefix, args, topic: &str, operation| {
        let (right, grant) = on(topic, operation);
        kafka.assert_denied(user, command, prefix, args, &right, &grant);
    };

    // Topics that a run creates.
    let said = kafka.assert_done("creator", "run", "created", SHORT);
    assert!(said.contains(GROUPLESS) && said.contains("GroupAuthorizationFailed"), "{said}");
    denied("reader-too", "run", "absent", SHORT, "rights-absent-bid-requests", "Create");
    denied("nobody", "run", "absent", SHORT, "rights-absent-bid-requests", "Describe");
    let said = kafka.command("mere-creator", "run", "unwritten", SHORT);
    let said = (said.status.code(), stderr(&said));
    assert!(said.0 == Some(3) && said.1.contains("the right Write on "), "{said:?}");
    assert!(said.1.contains("--operation Write --topic rights-unwritten-"), "{said:?}");

    // Topics that are there: what they hold has to be read, not what they do not.
    for prefix in ["found", "exact", "idless", "groupless", "unread"] {
        kafka.create(prefix, &[]);
    }
    kafka.assert_done("writer", "run", "found", SHORT);
    kafka.assert_unread("writer", "run", "found", LONG);
    let said = kafka.assert_done("reader-too", "run", "found", LONG);
    assert!(said.contains("after 503 records") && said.contains(GROUPLESS), "{said}");

    // Exactly once.
    let exactly = |args: &str| format!("{args} --delivery exactly-once");
    let said = kafka.assert_done("exact", "run", "exact", &exactly(SHORT))
        + &kafka.assert_done("exact", "run", "exact", &exactly(LONG));
    assert!(!said.contains(GROUPLESS), "{said}");
    let grant = "--operation Write --transactional-id mock-data-gen- --resource-pattern-type prefixed";
    kafka.assert_denied("idempotent", "run", "idless", &exactly(SHORT), "Write on the transactional ids", grant);
    for args in [SHORT, LONG] {
        let said = kafka.assert_done("groupless", "run", "groupless", &exactly(args));
        assert!(said.contains(GROUPLESS), "{said}");
    }
    kafka.assert_done("unread", "run", "unread", &exactly(SHORT));
    kafka.assert_unread("unread", "run", "unread", &exactly(LONG));

    // The other commands.
    for prefix in ["found", "exact", "groupless"] {
        kafka.assert_done("verifier", "verify", prefix, "--count 600");
    }
    kafka.assert_unread("viewer", "verify", "found", "--count 600");
    denied("nobody", "verify", "found", "--count 600", "rights-found-bid-requests", "Describe");
    kafka.assert_done("viewer", "check", "absent", LONG);
    kafka.assert_done("verifier", "check", "found", LONG);
    kafka.assert_unread("viewer", "check", "found", LONG);
    denied("nobody", "check", "found", LONG, "rights-found-bid-requests", "Describe");

    // Deleting them and creating them again.
    let recreate = "--fast --count 300 --resume recreate";
    denied("exact", "run", "exact", recreate, "rights-exact-bid-requests", "DescribeConfigs");
    assert_eq!(kafka.command("verifier", "verify", "exact", "--count 600").status.code(), Some(0), "it was touched");
    kafka.assert_done("creator", "run", "found", recreate);
    kafka.assert_done("verifier", "verify", "found", "--count 300");
}

/// Who may not see a topic's settings learns by the delivery reports that it keeps other times.
#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn settings_that_are_hidden_are_told_and_other_times_are_noticed() {
    // Brokers with ZooKeeper have another authorizer.
    if is_before((3, 0)) {
        return;
    }
    let kafka = Guarded::start();
    kafka.create("hidden", &[("message.timestamp.type", "LogAppendTime")]);
    for args in [SHORT, "--fast --count 1", "--fast --count 300 --delivery exactly-once"] {
        let output = kafka.command("exact", "run", "hidden", args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{args}: {said}");
        assert!(said.contains("message.timestamp.type=LogAppendTime"), "{args}: {said}");
        assert!(said.contains("--alter --entity-type topics --entity-name rights-hidden-"), "{args}: {said}");
    }
}
