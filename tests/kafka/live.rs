//! Against a real Apache Kafka: `make test-kafka` starts one, exports its address and runs what is ignored here.
//!
//! What a topic holds is read by Kafka's own console consumer and by kcat, never by our own client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::*;
use mock_data_gen::generator::random::Words as _;
use mock_data_gen::generator::record::partition;
use mock_data_gen::generator::spec::{Epoch, EventsPerSecond, KeyBy, Layout, Partitions, Rate, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn one_hour_of_seed_42_fills_the_four_topics() {
    let output = run(&mut generator(&["--seed", "42", "--fast", "--fingerprint"]));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("created topic bid-requests"), "{}", stderr(&output));
    assert_topics_hold(&StreamSpec::default(), &Layout::default(), Window::auctions(0, 36_000));

    let configs = kafka_tool(&[
        "kafka.admin.ConfigCommand",
        "--bootstrap-server",
        &bootstrap(),
        "--describe",
        "--entity-type",
        "topics",
        "--entity-name",
        "clicks",
    ]);
    for setting in
        ["retention.ms=-1 ", "retention.bytes=-1 ", "cleanup.policy=delete ", "message.timestamp.type=CreateTime"]
    {
        assert!(configs.contains(setting), "{setting}: {configs}");
    }

    // The same command again has nothing to do, and another one does not write into the same topics.
    let again = run(&mut generator(&["--seed", "42", "--fast"]));
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert!(stderr(&again).contains("nothing to do: the window is complete, its 61,001 records"), "{}", stderr(&again));
    let other = run(&mut generator(&["--seed", "43", "--fast"]));
    assert_eq!(other.status.code(), Some(3), "{}", stderr(&other));
    assert!(
        stderr(&other).contains("topic `bid-requests`, partition 0, offset 0: the record with key"),
        "{}",
        stderr(&other)
    );
    let ends = kafka_tool(&["GetOffsetShell", "--bootstrap-server", &bootstrap(), "--topic", "clicks"]);
    let total: i64 = ends.lines().map(|line| line.rsplit(':').next().unwrap().parse::<i64>().unwrap()).sum();
    let clicks = expected(&StreamSpec::default(), &Layout::default(), Window::auctions(0, 36_000))[3]
        .values()
        .map(Vec::len)
        .sum::<usize>();
    assert_eq!(total, clicks as i64);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn headers_request_keys_and_topics_that_exist_are_honoured() {
    let layout = layout("own", [3, 5, 4, 4]);
    create_topic("own-bid-requests", 3, &["retention.ms=-1"]);
    create_topic("own-bid-responses", 5, &["retention.ms=-1"]);
    let mut args = vec![
        "--fast",
        "--headers",
        "--key-by",
        "request",
        "--seed",
        "7",
        "--count",
        "2000",
        "--click-rate",
        "0.5",
        "--partitions",
        "4",
        "--from",
        "2026-01-02T00:00:00Z",
    ];
    let topics = topic_flags("own");
    args.extend(topics.iter().map(String::as_str));
    succeed(&mut generator(&args));
    let spec = StreamSpec {
        seed: 7,
        click_rate: Rate::from_percent(50),
        key_by: KeyBy::Request,
        headers: true,
        ..StreamSpec::default()
    };
    assert_topics_hold(&spec, &layout, Window::auctions(864_000, 2_000));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn times_in_the_future_are_taken_by_topics_that_we_create() {
    let topics = topic_flags("future");
    let mut args =
        vec!["--fast", "--epoch", "2090-01-01T00:00:00Z", "--count", "200", "--win-rate", "1", "--click-rate", "1"];
    args.extend(topics.iter().map(String::as_str));
    succeed(&mut generator(&args));
    let spec = StreamSpec {
        epoch: "2090-01-01T00:00:00Z".parse().unwrap(),
        win_rate: Rate::from_percent(100),
        click_rate: Rate::from_percent(100),
        ..StreamSpec::default()
    };
    assert_topics_hold(&spec, &layout("future", [6; 4]), Window::auctions(0, 200));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_run_without_end_leaves_the_brokers_retention_where_its_start_fits() {
    let from = mock_data_gen::generator::timestamp::Timestamp(
        mock_data_gen::player::pace::wall_clock_us() / 1_000 - 30 * 86_400_000,
    );
    for (prefix, from, keeps_all) in [("endless", "now".to_owned(), false), ("endless-old", from.to_string(), true)] {
        let topics = topic_flags(prefix);
        let mut args = vec!["--events-per-second", "1", "--from", &from];
        args.extend(topics.iter().map(String::as_str));
        let mut ours = generator(&args).stderr(Stdio::piped()).spawn().unwrap();
        wait_for_records(&format!("{prefix}-bid-requests"), &mut ours);
        succeed(Command::new("kill").args(["-INT", &ours.id().to_string()]));
        let output = ours.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let settings = settings(&format!("{prefix}-bid-requests"));
        assert!(settings.contains("message.timestamp.type=CreateTime"), "{settings}");
        assert_eq!(settings.contains("retention.ms=-1 "), keeps_all, "{settings}");
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn resume_never_appends_a_second_stream() {
    let topics = topic_flags("twice");
    let mut args = vec!["--fast", "--count", "300"];
    args.extend(topics.iter().map(String::as_str));
    succeed(&mut generator(&args));
    args.extend(["--resume", "never"]);
    succeed(&mut generator(&args));
    let once = expected(&StreamSpec::default(), &layout("twice", [6; 4]), Window::auctions(0, 300));
    for (partition, seen) in read_by_kcat("twice-bid-requests") {
        let once = &once[0][&partition];
        assert_eq!(seen.len(), 2 * once.len());
        let values = |records: &[Seen]| records.iter().map(|record| record.4.clone()).collect::<Vec<_>>();
        assert_eq!(values(&seen[..once.len()]), values(once));
        assert_eq!(values(&seen[once.len()..]), values(once));
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_refused_record_stops_the_run_and_leaves_no_gap() {
    let topics = topic_flags("small");
    let mut args = vec!["--events-per-second", "2000", "--partitions", "1"];
    args.extend(topics.iter().map(String::as_str));
    let mut ours = generator(&args).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_records("small-bid-requests", &mut ours);
    // From now on the broker refuses every batch as too large.
    let bootstrap = bootstrap();
    let what = [
        "--entity-type",
        "topics",
        "--entity-name",
        "small-bid-requests",
        "--alter",
        "--add-config",
        "max.message.bytes=100",
    ];
    kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &bootstrap], &what[..]].concat());
    let output = ours.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("topic `small-bid-requests`, partition 0: the record with key"), "{message}");
    assert!(
        message.contains("was not stored") && message.contains("records that were sent are acknowledged"),
        "{message}"
    );

    let seen = read_by_kcat("small-bid-requests").remove(&0).unwrap_or_default();
    assert!(!seen.is_empty(), "nothing was stored before");
    let spec = StreamSpec { events_per_second: EventsPerSecond::new(2_000), ..StreamSpec::default() };
    let stream = Stream::new(&spec, &layout("small", [1; 4]));
    let first = stream.auctions().first_from_ms(seen[0].1);
    let window = Window::auctions(first, seen.len() as u64);
    let expected = expected(&spec, &layout("small", [1; 4]), window);
    // Two requests can share a millisecond, so the first that was seen is found by its key.
    let expected = &expected[0][&0];
    let skip = expected.iter().position(|record| record.3 == seen[0].3).expect("the stream holds what was seen");
    let keys = |records: &[Seen]| records.iter().map(|record| record.3.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&seen[..seen.len() - skip]), keys(&expected[skip..]), "a gap");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn topics_that_would_not_keep_the_records_are_refused_with_the_line_that_mends_them() {
    let bound = time_bound("message.timestamp.before.max.ms");
    let cases = [
        ("append", "message.timestamp.type=LogAppendTime", "message.timestamp.type=CreateTime"),
        ("compacted", "cleanup.policy=compact", "cleanup.policy=delete"),
        ("short", "retention.ms=604800000", "retention.ms=-1"),
        ("bounded", &format!("{bound}=3600000"), &format!("{bound}=9223372036854775807")),
    ];
    for (name, setting, mended) in cases {
        create_topic(&format!("{name}-impressions"), 2, &["retention.ms=-1", setting]);
        let topics = topic_flags(name);
        let mut args = vec!["--fast", "--count", "200"];
        args.extend(topics.iter().map(String::as_str));
        let output = run(&mut generator(&args));
        assert_eq!(output.status.code(), Some(3), "{name}: {}", stderr(&output));
        let message = stderr(&output);
        assert!(message.contains(&format!("topic `{name}-impressions` has {setting}")), "{message}");
        assert!(message.contains(&format!("--add-config {mended}")), "{message}");
        // Refused before anything was made: the other three topics do not exist.
        let all = kafka_tool(&["TopicCommand", "--bootstrap-server", &bootstrap(), "--list"]);
        assert!(!all.lines().any(|topic| topic == format!("{name}-clicks")), "{all}");
        // The line that the error gives really mends it.
        let mend = message.lines().find_map(|line| line.strip_prefix("mend it with: kafka-configs.sh ")).unwrap();
        let words: Vec<&str> = mend.split(' ').collect();
        kafka_tool(&[&["kafka.admin.ConfigCommand"], &words[..]].concat());
        succeed(&mut generator(&args));
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn topic_names_that_collide_in_kafkas_metrics_are_refused_with_advice_that_helps() {
    create_topic("col.lide-impressions", 2, &["retention.ms=-1"]);
    let play = |topics: &[String]| run(generator(&["--fast", "--count", "20"]).args(topics));
    let refused = play(&topic_flags("col_lide"));
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("`col_lide-impressions`"), "{said}");
    assert!(said.contains("differs from it only by `.` and `_` is there already"), "{said}");
    assert!(!said.contains("--replication-factor"), "{said}");
    // A name that the advice leads to.
    let renamed = play(&topic_flags("col-lide"));
    assert_eq!(renamed.status.code(), Some(0), "{}", stderr(&renamed));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_replication_factor_that_the_cluster_cannot_give_is_refused() {
    let topics = topic_flags("copies");
    let mut args = vec!["--fast", "--count", "10", "--replication-factor", "3"];
    args.extend(topics.iter().map(String::as_str));
    let output = run(&mut generator(&args));
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("topic `copies-bid-requests` could not be created"), "{}", stderr(&output));
    assert!(stderr(&output).contains("--replication-factor"), "{}", stderr(&output));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn another_writer_is_noticed() {
    let topics = topic_flags("shared");
    let mut args = vec!["--fast", "--count", "3000000"];
    args.extend(topics.iter().map(String::as_str));
    let mut ours = generator(&args).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_records("shared-bid-requests", &mut ours);
    let mut kcat = Command::new("kcat")
        .args(["-b", &bootstrap(), "-P", "-t", "shared-bid-requests", "-p", "0"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    kcat.stdin.take().unwrap().write_all(b"not ours\n").unwrap();
    assert!(kcat.wait().unwrap().success());
    let begin = Instant::now();
    let output = ours.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("topic `shared-bid-requests`, partition 0: expected offset ")
            && stderr(&output).contains("another writer is at work, or a batch was stored twice"),
        "{}",
        stderr(&output)
    );
    assert!(begin.elapsed() < limit(10), "noticed after {:?}", begin.elapsed());
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_signal_ends_a_run_at_a_record_boundary_with_everything_acknowledged() {
    let topics = topic_flags("stopped");
    let mut args = vec!["--fast", "--count", "30000000"];
    args.extend(topics.iter().map(String::as_str));
    let mut ours = generator(&args).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_records("stopped-bid-requests", &mut ours);
    succeed(Command::new("kill").args(["-TERM", &ours.id().to_string()]));
    let output = ours.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("stopped after"), "{}", stderr(&output));
    let seen: usize = Stage::ALL
        .into_iter()
        .map(|stage| {
            read_by_kcat(layout("stopped", [6; 4]).topic(stage).name.as_str()).values().map(Vec::len).sum::<usize>()
        })
        .sum();
    let prefix: Vec<_> = Stream::new(&StreamSpec::default(), &layout("stopped", [6; 4]))
        .records(Window::unbounded(0))
        .take(seen)
        .collect();
    let mut logs: [Log; 4] = Default::default();
    for record in prefix {
        let log = logs[record.stage.index()].entry(record.partition).or_default();
        log.push((
            log.len() as i64,
            record.timestamp_ms,
            vec![],
            String::from_utf8(record.key).unwrap(),
            String::from_utf8(record.value).unwrap(),
        ));
    }
    for stage in Stage::ALL {
        let topic = format!("stopped-{}", Layout::default().topic(stage).name);
        assert_log(&topic, "kcat", &read_by_kcat(&topic), &logs[stage.index()]);
    }
}

/// 100,000 keys of 0 to 64 bytes: any bytes, ASCII, and UTF-8 beyond ASCII.
fn keys() -> Vec<Vec<u8>> {
    let words = mock_data_gen::generator::random::Lanes::new("test-keys", 1);
    let key = |index: u64| {
        let words = words.words(index);
        let length = words.uniform_below(0, 65) as usize;
        let byte = |position: usize| words.word(1 + position % 60).rotate_left(position as u32) as u8;
        match index % 3 {
            0 => (0..length).map(byte).collect(),
            1 => (0..length).map(|position| b' ' + byte(position) % 95).collect(),
            _ => {
                let letters = ["é", "ß", "日", "本", "🦀", "z", "Ω"];
                let mut text = String::new();
                while text.len() < length {
                    text.push_str(letters[usize::from(byte(text.len())) % letters.len()]);
                }
                let mut bytes = text.into_bytes();
                bytes.truncate(length);
                bytes
            }
        }
    };
    (0..100_000).map(key).collect()
}

#[test]
#[ignore = "needs Kafka's jars: make test-kafka"]
fn partitions_are_those_of_javas_default_partitioner() {
    // Of the newest client, whatever the broker's version.
    let libs = succeed(Command::new("tests/kafka/broker").arg("libs").env_remove("KAFKA_VERSION"));
    let libs = libs.trim_end();
    let keys = keys();
    assert!(keys.iter().any(Vec::is_empty) && keys.iter().any(|key| key.len() == 64));
    let mut hex = String::new();
    for key in &keys {
        for byte in key {
            write!(hex, "{byte:02x}").unwrap();
        }
        hex.push('\n');
    }
    for count in [6, 7, 1_000] {
        let mut java = Command::new("java")
            .args(["-cp", &format!("{libs}/*"), "tests/kafka/Partitions.java", &count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = java.stdin.take().unwrap();
        let hex = hex.clone();
        let writer = std::thread::spawn(move || stdin.write_all(hex.as_bytes()).unwrap());
        let output = java.wait_with_output().unwrap();
        writer.join().unwrap();
        let javas: Vec<u32> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        let ours: Vec<u32> = keys.iter().map(|key| partition(key, Partitions::new(count).unwrap())).collect();
        assert_eq!(javas.len(), keys.len());
        for (index, (java, our)) in javas.iter().zip(&ours).enumerate() {
            assert_eq!(java, our, "key {:?} of {count} partitions", keys[index]);
        }
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_broker_that_is_killed_and_comes_back_loses_doubles_and_reorders_nothing() {
    let mut broker = OwnBroker::start();
    // Times of the last minutes: a broker forgets idempotent producers whose record times are older than a day.
    let now_ms = mock_data_gen::player::pace::wall_clock_us() / 1_000;
    let spec = StreamSpec {
        events_per_second: EventsPerSecond::new(1_000),
        epoch: Epoch::from_ms(now_ms - 500_000).unwrap(),
        ..StreamSpec::default()
    };
    let epoch = spec.epoch.to_string();
    let args = ["--fast", "--count", "400000", "--events-per-second", "1000", "--epoch", &epoch];
    let output = play_through_a_restart(&mut broker, &args);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("Connection refused"), "the broker was never missed: {}", stderr(&output));
    let expected = expected(&spec, &Layout::default(), Window::auctions(0, 400_000));
    for (stage, expected) in Stage::ALL.into_iter().zip(&expected) {
        let topic = Layout::default().topic(stage).name.to_string();
        assert_log(&topic, "kcat", &read_by_kcat_at(&broker.bootstrap, &topic), expected);
    }
}

/// Plays into a broker that is killed under way and comes back after two seconds.
fn play_through_a_restart(broker: &mut OwnBroker, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(["--bootstrap-servers", &broker.bootstrap]).args(args).stderr(Stdio::piped());
    let mut ours = command.spawn().unwrap();
    wait_for_records_at(&broker.bootstrap, "bid-requests", &mut ours);
    std::thread::sleep(Duration::from_millis(500));
    broker.restart(Duration::from_secs(2));
    ours.wait_with_output().unwrap()
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_batch_that_a_broker_stored_twice_is_noticed() {
    let mut broker = OwnBroker::start();
    let output = play_through_a_restart(&mut broker, &["--fast", "--count", "400000"]);
    // Ten months old: the broker that comes back knows the producer no more, and stores what is sent again a second time.
    // Whether a request was under way when it was killed is chance; that nothing passes unnoticed is not.
    let expected = expected(&StreamSpec::default(), &Layout::default(), Window::auctions(0, 400_000));
    let logs = Stage::ALL.map(|stage| read_by_kcat_at(&broker.bootstrap, Layout::default().topic(stage).name.as_str()));
    match output.status.code() {
        Some(0) => assert!(logs == expected, "damage that nobody noticed"),
        code => assert_eq!(code, Some(4), "{}", stderr(&output)),
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_stop_with_the_broker_away_says_within_five_seconds_what_is_not_acknowledged() {
    let broker = OwnBroker::start();
    let args = ["--events-per-second", "5000", "--bootstrap-servers", &broker.bootstrap];
    let mut ours = Command::new(env!("CARGO_BIN_EXE_mock-data-gen")).args(args).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_records_at(&broker.bootstrap, "bid-requests", &mut ours);
    broker.signal("-STOP");
    std::thread::sleep(Duration::from_secs(2));
    let begin = Instant::now();
    succeed(Command::new("kill").args(["-TERM", &ours.id().to_string()]));
    let output = ours.wait_with_output().unwrap();
    let took = begin.elapsed();
    broker.signal("-CONT");
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("records were sent but not acknowledged"), "{}", stderr(&output));
    assert!(took < limit(5), "took {took:?}");
}

/// A folder with a test CA, and a key and certificate for localhost signed by it.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = "set -e
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=mock-data-gen test CA' \
            -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > san
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem
        openssl pkcs12 -export -inkey server.key -in server.pem -passout pass:keystore -out keystore.p12";
    succeed(Command::new("bash").args(["-c", &format!("exec 2>/dev/null\n{script}")]).current_dir(&folder));
    folder
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn tls_with_plain_and_scram_works_by_properties_and_no_secret_is_shown() {
    let folder = certificates();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let login = |name: &str, module: &str| {
        let module = format!("org.apache.kafka.common.security.{module} required");
        format!("listener.name.secure.{name}.sasl.jaas.config={module}")
    };
    let extra = [
        "listeners=PLAINTEXT://127.0.0.1:@PORT@,CONTROLLER://127.0.0.1:@CONTROLLER_PORT@,SECURE://127.0.0.1:@SECOND_PORT@".to_owned(),
        "advertised.listeners=PLAINTEXT://127.0.0.1:@PORT@,SECURE://127.0.0.1:@SECOND_PORT@".to_owned(),
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL".to_owned(),
        // Brokers before 3.0 read no PEM without a password.
        "ssl.keystore.type=PKCS12\nssl.keystore.password=keystore\nssl.key.password=keystore".to_owned(),
        format!("ssl.keystore.location={}", path("keystore.p12")),
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        login("plain", "plain.PlainLoginModule") + " user_alice=\"hunter2\";",
        login("scram-sha-256", "scram.ScramLoginModule") + ";",
        login("scram-sha-512", "scram.ScramLoginModule") + ";",
    ];
    std::fs::write(path("extra"), extra.join("\n") + "\n").unwrap();
    let broker = OwnBroker::start_by(Command::new("tests/kafka/broker").env("KAFKA_EXTRA_PROPERTIES", path("extra")));
    let properties = std::fs::read_to_string(format!("{}/server.properties", broker.data)).unwrap();
    let address = properties.split("SECURE://").nth(1).unwrap().lines().next().unwrap().to_owned();
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let secret = format!("{mechanism}=[password=hunter2]");
        let user = ["--alter", "--entity-type", "users", "--entity-name", "alice", "--add-config", &secret];
        kafka_tool(&[&["kafka.admin.ConfigCommand", "--bootstrap-server", &broker.bootstrap], &user[..]].concat());
    }

    let play = |mechanism: &str, password: &str, ca: &str| {
        let topics = topic_flags(&mechanism.to_lowercase());
        let sasl = ["security.protocol=SASL_SSL", "sasl.username=alice"].map(str::to_owned);
        let more = [
            format!("sasl.mechanism={mechanism}"),
            format!("sasl.password={password}"),
            format!("ssl.ca.location={ca}"),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command
            .args(["--bootstrap-servers", &address, "--fast", "--count", "500"])
            .args(topics)
            .env("RUST_LOG", "debug");
        for property in sasl.iter().chain(&more) {
            command.args(["-X", property]);
        }
        let output = run(&mut command);
        assert!(!stderr(&output).contains(password), "a secret is shown: {}", stderr(&output));
        output
    };
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let output = play(mechanism, "hunter2", &path("ca.pem"));
        assert!(output.status.success(), "{mechanism}: {}", stderr(&output));
        let layout = layout(&mechanism.to_lowercase(), [6; 4]);
        let expected = expected(&StreamSpec::default(), &layout, Window::auctions(0, 500));
        let topic = layout.topic(Stage::Request).name.as_str();
        assert_log(topic, "kcat", &read_by_kcat_at(&broker.bootstrap, topic), &expected[0]);
    }
    // The same by variables and a file, as containers do it.
    std::fs::write(path("password"), "hunter2\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command
        .args(["--bootstrap-servers", &address, "--fast", "--count", "500"])
        .args(topic_flags("by-variables"))
        .env("MDG_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        .env("MDG_KAFKA_SASL_MECHANISM", "PLAIN")
        .env("MDG_KAFKA_SASL_USERNAME", "alice")
        .env("MDG_KAFKA_SASL_PASSWORD_FILE", path("password"))
        .env("MDG_KAFKA_SSL_CA_LOCATION", path("ca.pem"))
        .env("RUST_LOG", "debug");
    let output = run(&mut command);
    assert!(output.status.success() && !stderr(&output).contains("hunter2"), "{}", stderr(&output));
    let wrong_password = play("PLAIN", "swordfish", &path("ca.pem"));
    assert_eq!(wrong_password.status.code(), Some(3));
    assert!(stderr(&wrong_password).contains("uthentication failed"), "{}", stderr(&wrong_password));
    assert!(stderr(&wrong_password).contains("error: the broker refused to authenticate this client: "));
    let wrong_ca = play("PLAIN", "hunter2", "/etc/ssl/certs/ca-certificates.crt");
    assert_eq!(wrong_ca.status.code(), Some(3));
    assert!(stderr(&wrong_ca).contains("certificate verify failed"), "{}", stderr(&wrong_ca));
    assert!(stderr(&wrong_ca).contains("error: the broker's certificate is not trusted: "), "{}", stderr(&wrong_ca));
    // The wrong kind of listener, either way.
    let refused = |address: &str, more: &[&str], headline: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        let output = run(command.args(["--bootstrap-servers", address, "--fast", "--count", "5"]).args(more));
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains(headline), "{headline}: {}", stderr(&output));
    };
    refused(&address, &[], "error: the broker closed the connection before it answered: ");
    let tls = ["-X", "security.protocol=SSL"];
    refused(&broker.bootstrap, &tls, "error: the broker does not speak TLS at this address: ");
}
