//! What the user sees: help, errors, reports, exit codes, and that sinks and other run options change no byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::patience::limit;
use crate::program;
use crate::snapshot::snapshot;
use mock_data_gen::generator::simd;
use serde_json::Value;
use tempfile::TempDir;

fn run(args: &[&str]) -> Output {
    program(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn succeed(args: &[&str]) -> Output {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    output
}

/// Exit code, standard output and standard error, with what differs from run to run replaced.
fn seen(output: &Output) -> String {
    let code = output.status.code().map_or("signal".to_owned(), |code| code.to_string());
    format!("exit {code}\n--- stdout\n{}--- stderr\n{}", stdout(output), stderr(output))
}

#[test]
fn help_reads_well() {
    snapshot("help", stdout(&succeed(&["--help"])));
    snapshot("help-short", stdout(&succeed(&["-h"])));
    snapshot("help-show", stdout(&succeed(&["show", "-h"])));
    snapshot("help-schema", stdout(&succeed(&["schema", "-h"])));
    assert_eq!(stdout(&succeed(&["help", "show"])), stdout(&succeed(&["show", "--help"])));
    // Whatever else is wrong.
    let wrong =
        program(&["--seed", "x", "--help"]).env("MDG_USERS", "none").env("MDG_CONFIG", "/nowhere").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let wrong = program(&["--help"]).env("MDG_USERS", "none").env("MDG_CONFIG", "/nowhere").output().unwrap();
    assert!(wrong.status.success(), "{}", stderr(&wrong));
    snapshot("version", stdout(&succeed(&["--version"])));
}

#[test]
fn a_configuration_is_shown_with_its_origins() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("mdg.toml");
    fs::write(&file, "seed = 7\nevents-per-second = 2.5\nusers = 4100\n\n[kafka]\nlinger.ms = 7\n").unwrap();
    let check = |more: &[&str]| {
        program(
            &[&["check", "--config", "mdg.toml", "--sink", "null", "--count", "100", "--from", "epoch"], more].concat(),
        )
        .current_dir(&folder)
        .env("EVENTS_PER_SECOND", "50")
        .env("MDG_HEADERS", "yes")
        .output()
        .unwrap()
    };
    snapshot("check", seen(&check(&[])));
    let json: Value = serde_json::from_str(&stdout(&check(&["--report", "json"]))).unwrap();
    let seed = &json["options"][0];
    assert_eq!((seed["value"].as_str(), seed["origin"].as_str()), (Some("7"), Some("mdg.toml, line 1")));
    // It resolves what a run resolves, and refuses what that refuses.
    let run =
        program(&["--config", "mdg.toml", "--sink", "null", "--count", "100", "--from", "epoch", "--report", "json"])
            .current_dir(&folder)
            .env("EVENTS_PER_SECOND", "50")
            .env("MDG_HEADERS", "yes")
            .output()
            .unwrap();
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&json["stream_id"], &json["window"]), (&report["stream_id"], &report["window"]));
    assert_eq!(check(&["--speed", "0"]).status.code(), Some(2));
    for refused in [
        &["--sink", "files", "--out", ".", "--fast", "--count", "1"][..],
        &["--bootstrap-servers", "embedded", "--fast", "--count", "100000"],
        &["--bootstrap-servers", "embedded", "--fast", "--count", "1", "--partitions", "1001"],
    ] {
        let [checked, run] = ["check", "run"]
            .map(|command| program(&[&[command], refused].concat()).current_dir(&folder).output().unwrap());
        assert_eq!((checked.status.code(), stderr(&checked)), (Some(2), stderr(&run)), "{refused:?}");
    }
}

/// `help` is a command where a command stands, and a word like any other elsewhere.
#[test]
fn a_value_may_be_the_word_help() {
    let folder = TempDir::new().unwrap();
    let output =
        program(&["--sink", "files", "--out", "help", "--fast", "--count", "1", "--headers=false", "--report", "json"])
            .current_dir(&folder)
            .env("MDG_HEADERS", "true")
            .env("MDG_USERS", "")
            .env("MDG_SPEED", "5")
            .output()
            .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let stream = |output: &Output| serde_json::from_slice::<Value>(&output.stdout).unwrap()["stream_id"].clone();
    let plain = succeed(&["--sink", "null", "--fast", "--count", "1", "--report", "json"]);
    assert_eq!(stream(&output), stream(&plain));
}

#[test]
fn folders_within_one_another_are_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    for (out, key) in [("a", "a"), ("a", "./a"), ("a", "a/key"), ("key/a", "key")] {
        let output = program(&["--sink", "files", "--out", out, "--answer-key", key, "--fast", "--count", "2"])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{out} {key}");
        assert!(stderr(&output).contains("lie within one another"), "{}", stderr(&output));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{out} {key}");
    }
}

#[test]
fn a_key_that_is_there_is_left_and_an_unfinished_one_is_made_again() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    let run = |seed: &str| {
        program(&["--seed", seed, "--sink", "null", "--fast", "--count", "100", "--answer-key", "key"])
            .current_dir(&folder)
            .output()
            .unwrap()
    };
    let manifest = || fs::read(key.join("manifest.json")).unwrap();
    assert!(run("7").status.success());
    let first = manifest();
    let again = run("7");
    assert!(
        again.status.success() && stderr(&again).contains("answer key   key, written before"),
        "{}",
        stderr(&again)
    );
    let other = run("8");
    assert_eq!(other.status.code(), Some(2), "{}", stderr(&other));
    // Of more partitions it is another key.
    let wider = program(&[
        "--seed",
        "7",
        "--partitions",
        "7",
        "--sink",
        "null",
        "--fast",
        "--count",
        "100",
        "--answer-key",
        "key",
    ])
    .current_dir(&folder)
    .output()
    .unwrap();
    assert_eq!(wider.status.code(), Some(2), "{}", stderr(&wider));
    // As a run leaves it that is killed.
    fs::rename(key.join("manifest.json"), key.join("manifest.json.part")).unwrap();
    fs::write(key.join("funnel.csv"), "half a li").unwrap();
    fs::write(key.join("windows_5m_raw.csv"), "of other settings").unwrap();
    let finished = run("7");
    assert!(finished.status.success(), "{}", stderr(&finished));
    assert!(manifest() == first && !key.join("windows_5m_raw.csv").exists());
    // Somebody else's files are not touched, whatever they are called.
    fs::remove_file(key.join("manifest.json")).unwrap();
    let refused = run("7");
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    fs::write(key.join("manifest.json.part"), "").unwrap();
    fs::write(key.join("mine.csv"), "mine").unwrap();
    let refused = run("7");
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(key.join("funnel.csv").exists() && key.join("mine.csv").exists());
}

/// Nothing can be so long that it overflows.
#[test]
fn a_bound_may_be_as_long_as_any_span() {
    let folder = TempDir::new().unwrap();
    let rows = |name: &str, bound: &str| {
        let bound = format!("request_response={bound}");
        let output = program(&["answer-key", "--out", name, "--count", "100", "--bound", &bound])
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        fs::read(folder.path().join(name).join("join_request_response_inner_raw.ndjson")).unwrap()
    };
    let (long, longest) = (rows("long", "1y"), rows("longest", "292271000y"));
    assert!(!long.is_empty() && long == longest);
}

#[test]
fn without_a_broker_the_default_address_is_named_within_15_seconds_with_the_ways_out() {
    let begin = std::time::Instant::now();
    let output = run(&["--fast", "--count", "1"]);
    assert!(begin.elapsed() < limit(15), "{:?}", begin.elapsed());
    assert_eq!(output.status.code(), Some(3));
    for part in [
        "no Kafka broker answered at kafka:9092",
        "--bootstrap-servers localhost:29092",
        "--bootstrap-servers embedded",
    ] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
}

/// A switch that is turned off beats nothing but itself.
#[test]
fn a_switch_that_is_off_leaves_what_excludes_it_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mdg.toml"), "speed = 60\nsink = \"null\"\ncount = 10\n").unwrap();
    let speed = |args: &[&str], variables: &[(&str, &str)]| {
        let all = [&["check", "--config", "mdg.toml", "--report", "json"], args].concat();
        let output = program(&all).current_dir(&folder).envs(variables.iter().copied()).output().unwrap();
        let json: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        let options = json["options"].as_array().unwrap().clone();
        let value = |name: &str| {
            options
                .iter()
                .find(|option| option["option"] == format!("--{name}"))
                .and_then(|option| option["value"].as_str().map(str::to_owned))
        };
        value("speed")
    };
    assert_eq!(speed(&[], &[]).as_deref(), Some("60"));
    assert_eq!(speed(&[], &[("MDG_FAST", "false")]).as_deref(), Some("60"));
    assert_eq!(speed(&["--fast=false"], &[("MDG_SPEED", "7")]).as_deref(), Some("7"));
    assert_ne!(speed(&[], &[("MDG_FAST", "true")]).as_deref(), Some("60"));
}

/// Other people's programs read what is made for them.
#[test]
fn completions_and_the_manual_page_are_well_formed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&succeed(&["completions", shell]));
        assert!(script.contains("events-per-second") && script.contains("completions"), "{shell}");
    }
    let script = stdout(&succeed(&["completions", "bash"]));
    let complete = "source /dev/stdin; COMP_WORDS=(mock-data-gen --see); COMP_CWORD=1; _mock__data__gen mock-data-gen --see; echo ${COMPREPLY[@]}";
    let mut bash =
        Command::new("bash").args(["-c", complete]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert_eq!(stdout(&bash.wait_with_output().unwrap()).trim(), "--seed");

    let page = stdout(&succeed(&["man"]));
    let heading = page.lines().find(|line| line.starts_with(".TH ")).unwrap();
    assert!(
        heading.starts_with(".TH mock-data-gen 1")
            && heading.ends_with(concat!("mock-data-gen ", env!("CARGO_PKG_VERSION"), "\" ")),
        "{heading}"
    );
    assert!(page.contains("\\-\\-events\\-per\\-second"), "{page}");
    assert!(stdout(&succeed(&["man", "show"])).contains(".TH mock-data-gen-show 1"));
    let nobody = run(&["man", "nobody"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(stderr(&nobody).contains("there is no command `nobody`"), "{}", stderr(&nobody));
}

#[test]
fn one_funnel_reads_well() {
    snapshot("show", stdout(&succeed(&["show", "294"])));
    let faults =
        ["--late", "1:20s", "--duplicates", "1", "--conflicts", "1", "--boundary", "0.5", "--idle", "click:1s:1m"];
    let extras = ["--malformed", "1", "--invalid", "1", "--tombstones", "1", "--orphans", "0.5"];
    snapshot("show-faults", stdout(&succeed(&[&["show", "294"], &faults[..], &extras].concat())));
    snapshot("show-request-only", stdout(&succeed(&["show", "2", "--bid-response-rate", "0"])));
}

#[test]
fn schemas_read_well() {
    for event in ["request", "response", "impression", "click"] {
        assert!(stdout(&succeed(&["schema", event])).contains("https://json-schema.org/draft/2020-12/schema"));
    }
    snapshot("schema-click", stdout(&succeed(&["schema", "click"])));
}

#[test]
fn the_report_reads_well() {
    let report = succeed(&["--sink", "null", "--fast", "--count", "20000", "--fingerprint"]);
    snapshot("report", stderr(&report));
    let chosen = succeed(&["--sink", "null", "--fast", "--events-per-second", "2.5"]);
    snapshot("report-of-the-default-window", stderr(&chosen));
    let json = succeed(&["--sink", "null", "--fast", "--count", "20000", "--fingerprint", "--report", "json"]);
    assert_eq!(stderr(&json), "");
    let mut json: Value = serde_json::from_slice(&json.stdout).unwrap();
    json["seconds"] = "[seconds]".into();
    json["records_per_second"] = "[rate]".into();
    snapshot("report-json", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn the_embedded_broker_gives_back_what_was_sent() {
    let output = succeed(&["--bootstrap-servers", "embedded", "--fast", "--seed", "42"]);
    assert!(stderr(&output).contains("equal to what was sent"), "{}", stderr(&output));
    snapshot("embedded", stderr(&output));
    let headers = succeed(&[
        "--bootstrap-servers",
        "embedded",
        "--fast",
        "--headers",
        "--key-by",
        "request",
        "--count",
        "500",
        "--report",
        "json",
    ]);
    assert!(stderr(&headers).contains("equal to what was sent"), "{}", stderr(&headers));
}

#[test]
fn the_embedded_broker_is_held_until_a_signal() {
    let mut held = program(&["--bootstrap-servers", "embedded", "--fast", "--count", "10", "--hold"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(held.stderr.take().unwrap()));
    assert!(lines.by_ref().any(|line| line.unwrap().contains("holding 127.0.0.1:")));
    assert!(held.try_wait().unwrap().is_none(), "ended without a signal");
    assert!(Command::new("kill").args(["-INT", &held.id().to_string()]).status().unwrap().success());
    assert_eq!(held.wait().unwrap().code(), Some(0));
}

#[test]
fn a_signal_while_the_fit_is_counted_ends_the_program() {
    let args = ["--bootstrap-servers", "embedded", "--fast", "--partitions", "1000", "--count", "5000000"];
    let mut counting = program(&args).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(counting.try_wait().unwrap().is_none(), "counted too fast for this test");
    let begin = std::time::Instant::now();
    assert!(Command::new("kill").args(["-TERM", &counting.id().to_string()]).status().unwrap().success());
    let output = counting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(begin.elapsed() < limit(2), "{:?}", begin.elapsed());
}

/// Bad input: one message that names option and value, exit 2, nothing on standard output.
#[test]
fn bad_input_is_refused_by_name() {
    let cases: &[(&str, &[&str])] = &[
        ("seed", &["--seed", "-1", "--fast"]),
        ("seed too large", &["--seed", "18446744073709551616", "--fast"]),
        ("rate", &["--win-rate", "1.5", "--fast"]),
        ("rate in words", &["--click-rate", "often", "--fast"]),
        ("rate too fine", &["--events-per-second", "0.0000001", "--fast"]),
        ("rate of zero", &["--events-per-second", "0", "--fast"]),
        ("epoch", &["--epoch", "yesterday", "--fast"]),
        ("epoch too fine", &["--epoch", "2026-01-01T00:00:00.0001Z", "--fast"]),
        ("users", &["--users", "0", "--fast"]),
        ("profile", &["--profile", "strict", "--fast"]),
        ("key", &["--key-by", "nothing", "--fast"]),
        ("topic", &["--topic-clicks", "a b", "--fast"]),
        ("topic twice", &["--topic-clicks", "impressions", "--fast", "--sink", "null"]),
        ("partitions", &["--partitions", "0", "--fast"]),
        ("from before the epoch", &["--from", "2025-12-31T23:59:59.999Z", "--fast", "--sink", "null"]),
        (
            "to before from",
            &["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-02T00:00:00Z", "--fast", "--sink", "null"],
        ),
        ("two ends", &["--count", "1", "--duration", "1s", "--fast", "--sink", "null"]),
        ("count of zero", &["--count", "0", "--fast", "--sink", "null"]),
        ("span", &["--duration", "soon", "--fast", "--sink", "null"]),
        ("beyond the stream", &["--from", "9999-12-31T22:59:59Z", "--count", "100", "--fast", "--sink", "null"]),
        ("behind the stream", &["--from", "9999-12-31T23:00:00Z", "--fast", "--sink", "null"]),
        ("sink", &["--sink", "printer", "--fast"]),
        ("no folder", &["--sink", "files", "--fast"]),
        ("a folder for nothing", &["--sink", "stdout", "--out", "x", "--fast"]),
        ("envelope for nothing", &["--sink", "stdout", "--envelope", "--fast"]),
        ("epoch of zero", &["--epoch", "1970-01-01T00:00:00Z", "--fast"]),
        ("kafka options for nothing", &["--sink", "null", "--fast", "--resume", "never"]),
        ("properties for nothing", &["--sink", "null", "--fast", "-X", "linger.ms=5"]),
        ("hold for nothing", &["--hold", "--fast"]),
        ("two paces", &["--fast", "--speed", "60", "--sink", "null"]),
        ("speed", &["--speed", "0", "--sink", "null"]),
        ("speed in words", &["--speed", "slow", "--sink", "null"]),
        ("live before the epoch", &["--epoch", "2100-01-01T00:00:00Z", "--sink", "null"]),
        (
            "live without end on the embedded broker",
            &["--bootstrap-servers", "embedded", "--from", "2026-11-01T00:00:00Z"],
        ),
        ("replication", &["--replication-factor", "0", "--fast"]),
        ("resume", &["--resume", "always", "--fast"]),
        ("shard", &["--shard", "3/3", "--fast", "--sink", "null"]),
        ("shard in words", &["--shard", "first", "--fast", "--sink", "null"]),
        ("shard without partitions", &["--shard", "6/7", "--fast", "--sink", "null"]),
        ("shard that begins now", &["--shard", "0/2", "--sink", "null"]),
        ("property without a value", &["-X", "sasl.password", "--fast"]),
        ("property that guarantees rest on", &["-X", "acks=1", "--fast"]),
        ("property that nobody knows", &["-X", "sasl.pasword=hunter2", "--fast"]),
        ("property with a bad value", &["-X", "linger.ms=soon", "--fast"]),
        ("option", &["--sede", "42"]),
        ("command", &["sho", "1"]),
        ("ordinal", &["show", "x"]),
        ("ordinal beyond the stream", &["show", "18446744073709551615"]),
        ("event", &["schema", "bid"]),
        ("too much for the embedded broker", &["--bootstrap-servers", "embedded", "--fast", "--count", "100000"]),
        (
            "too many partitions for the embedded broker",
            &["--bootstrap-servers", "embedded", "--fast", "--partitions", "1001"],
        ),
    ];
    let mut text = String::new();
    for (name, args) in cases {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{name}");
        assert!(!stderr(&output).contains("panicked"), "{name}");
        assert!(!stderr(&output).contains("hunter2"), "{name}: a secret is shown");
        writeln!(text, "## {name}: {}\n{}", args.join(" "), stderr(&output).trim_end()).unwrap();
    }
    snapshot("bad-input", text);
}

#[test]
fn other_vector_instructions_make_the_same_bytes_and_unknown_ones_are_refused() {
    let run = |name: Option<&str>| {
        let mut command = program(&["--sink", "stdout", "--fast", "--count", "1000", "--headers", "--late", "0.1"]);
        command.envs(name.map(|name| ("MDG_SIMD", name))).output().unwrap()
    };
    let best = run(None);
    assert!(best.status.success() && best.stdout.len() > 1_000_000, "{}", stderr(&best));
    for name in simd::available() {
        let output = run(Some(name));
        assert!(output.status.success() && output.stdout == best.stdout, "{name}: {}", stderr(&output));
        assert!(!stderr(&output).contains("MDG_SIMD"), "{}", stderr(&output));
    }
    let refused = run(Some("mmx"));
    let said = stderr(&refused);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("MDG_SIMD: `mmx` names no instructions") && said.contains("unset it"), "{said}");
}

#[test]
fn variables_have_the_product_documents_names_and_flags_beat_them() {
    let output = program(&["--sink", "stdout", "--fast", "--win-rate", "1"])
        .env("EVENTS_PER_SECOND", "2")
        .env("TOPIC_BID_REQUESTS", "req")
        .env("TOPIC_BID_RESPONSES", "res")
        .env("TOPIC_IMPRESSIONS", "imp")
        .env("TOPIC_CLICKS", "clk")
        .env("BID_RESPONSE_RATE", "1")
        .env("WIN_RATE", "0")
        .env("CLICK_RATE", "1")
        .env("KAFKA_BOOTSTRAP_SERVERS", "nowhere:1")
        .env("MDG_SEED", "7")
        .env("MDG_COUNT", "10")
        .env("MDG_EPOCH", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let flags = [
        "--events-per-second",
        "2",
        "--bid-response-rate",
        "1",
        "--win-rate",
        "1",
        "--click-rate",
        "1",
        "--seed",
        "7",
        "--count",
        "10",
    ];
    let topics = [
        "--topic-bid-requests",
        "req",
        "--topic-bid-responses",
        "res",
        "--topic-impressions",
        "imp",
        "--topic-clicks",
        "clk",
    ];
    let by_flags = succeed(&[&["--sink", "stdout", "--fast"], &flags[..], &topics[..]].concat());
    assert_eq!(output.stdout, by_flags.stdout);
    assert_eq!(stdout(&output).lines().count(), 40);

    let beaten = program(&["--sink", "null", "--fast", "--duration", "1s"])
        .env("MDG_COUNT", "5")
        .env("MDG_SPEED", "60")
        .output()
        .unwrap();
    assert!(beaten.status.success(), "{}", stderr(&beaten));
    let named = program(&["--sink", "null", "--fast"]).env("MDG_SEED", "abc").output().unwrap();
    assert_eq!(named.status.code(), Some(2));
    assert!(stderr(&named).contains("--seed=abc comes from the variable MDG_SEED"), "{}", stderr(&named));

    let fast = program(&["--sink", "null", "--count", "1"]).env("MDG_FAST", "true").output().unwrap();
    assert!(fast.status.success());
    let bad = program(&["--sink", "null", "--count", "1"]).env("MDG_FAST", "perhaps").output().unwrap();
    assert_eq!((bad.status.code(), bad.stdout.len()), (Some(2), 0));
    let empty = program(&["--sink", "null", "--fast", "--count", "1"])
        .env("WIN_RATE", "")
        .env("MDG_SEED", "")
        .output()
        .unwrap();
    assert!(empty.status.success(), "{}", stderr(&empty));
}

/// Options of the run proper, and what they do to the records: nothing.
#[test]
fn run_options_change_no_byte() {
    let base = ["--fast", "--count", "3000", "--headers", "--fingerprint", "--report", "json", "--seed", "9"];
    let fingerprint = |more: &[&str]| {
        let output = succeed(&[&base[..], more].concat());
        // Where standard output carries records, the report stands beside it.
        let said = if more.contains(&"stdout") { stderr(&output) } else { stdout(&output) };
        let line = said.lines().find(|line| line.starts_with('{')).unwrap().to_owned();
        serde_json::from_str::<Value>(&line).unwrap()["fingerprint"].as_str().unwrap().to_owned()
    };
    let expected = fingerprint(&["--sink", "null"]);
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out").display().to_string();
    assert_eq!(fingerprint(&["--sink", "stdout"]), expected);
    assert_eq!(fingerprint(&["--sink", "files", "--out", &out]), expected);
    assert_eq!(fingerprint(&["--bootstrap-servers", "embedded"]), expected);
    let base = ["--count", "3000", "--headers", "--fingerprint", "--report", "json", "--seed", "9", "--sink", "null"];
    let paced = |more: &[&str]| {
        let output = succeed(&[&base[..], more].concat());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (report["fingerprint"].as_str().unwrap().to_owned(), report)
    };
    // Five minutes of virtual time in half a second, and as a backfill that a live run begins with.
    let (replayed, report) = paced(&["--speed", "600"]);
    assert_eq!(replayed, expected);
    assert!(report["seconds"].as_f64().unwrap() > 0.49, "{report}");
    assert_eq!(report["lateness"]["records"], report["records"]);
    assert_eq!(paced(&["--from", "epoch"]).0, expected);
    assert_eq!(fingerprint(&["--sink", "null", "--bootstrap-servers", "elsewhere:1"]), expected);
    assert_eq!(
        fingerprint(&["--bootstrap-servers", "embedded", "-X", "linger.ms=1", "-X", "compression.type=zstd"]),
        expected
    );
    let out = folder.path().join("envelopes").display().to_string();
    assert_eq!(fingerprint(&["--sink", "files", "--envelope", "--out", &out]), expected);
}

/// Kafka's clients take a timestamp of 0 for "now", so the least epoch is a millisecond later.
#[test]
fn the_first_millisecond_of_1970_is_a_timestamp_like_any_other() {
    let args = ["--bootstrap-servers", "embedded", "--fast", "--count", "2000", "--events-per-second", "1000000"];
    let output = succeed(&[&args[..], &["--epoch", "1970-01-01T00:00:00.001Z"]].concat());
    assert!(stderr(&output).contains("equal to what was sent"), "{}", stderr(&output));
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn files_hold_what_standard_output_shows() {
    let window = ["--fast", "--count", "2000", "--click-rate", "0.9", "--headers"];
    let mut by_topic: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in stdout(&succeed(&[&["--sink", "stdout"], &window[..]].concat())).lines() {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let topic = envelope["topic"].as_str().unwrap().to_owned();
        by_topic.entry(topic).or_default().push(line.to_owned());
    }
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let out = |name: &str| path(name).display().to_string();
    succeed(&[&["--sink", "files", "--out", &out("bare")], &window[..]].concat());
    succeed(&[&["--sink", "files", "--envelope", "--out", &out("envelopes")], &window[..]].concat());
    for (topic, envelopes) in &by_topic {
        assert_eq!(&lines(&path("envelopes").join(format!("{topic}.ndjson"))), envelopes);
        let value = |line: &String| line.split_once(r#","value":"#).unwrap().1.strip_suffix('}').unwrap().to_owned();
        let values: Vec<String> = envelopes.iter().map(value).collect();
        assert_eq!(lines(&path("bare").join(format!("{topic}.ndjson"))), values);
    }
    let manifest: Value = serde_json::from_slice(&fs::read(path("bare").join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["complete"], true);
    for file in manifest["files"].as_array().unwrap() {
        let path = path("bare").join(file["name"].as_str().unwrap());
        let bytes = fs::read(&path).unwrap();
        assert_eq!(file["bytes"], bytes.len());
        assert_eq!(file["sha256"], mock_data_gen::generator::digest::Digest::of(&bytes).to_string());
        assert_eq!(file["records"], lines(&path).len());
        let partitions = file["records_by_partition"].as_object().unwrap();
        assert_eq!(
            partitions.values().map(|count| count.as_u64().unwrap()).sum::<u64>(),
            file["records"].as_u64().unwrap()
        );
    }
    assert_eq!(fs::read_dir(path("bare")).unwrap().count(), 5);
    snapshot("manifest", fs::read_to_string(path("envelopes").join("manifest.json")).unwrap());

    let again = run(&["--sink", "files", "--out", &out("bare"), "--fast", "--count", "1"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("holds another stream: add --overwrite"), "{}", stderr(&again));
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("out").display().to_string();
    let output = run(&["--sink", "files", "--out", &below, "--fast", "--count", "1"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains(&format!("cannot write {below}")), "{}", stderr(&output));
    // /dev/full takes nothing.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = program(&["--sink", "stdout", "--fast", "--count", "1000"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("cannot write to standard output"), "{}", stderr(&output));
}

#[test]
fn what_names_one_thing_twice_is_refused() {
    let folder = TempDir::new().unwrap();
    let [out, key] = ["out", "key"].map(|name| folder.path().join(name).display().to_string());
    let files = ["--sink", "files", "--out", &out, "--fast", "--count", "10", "--envelope"];
    assert_refused(&[&files[..], &["--answer-key", &out]].concat(), "lie within one another");
    assert!(run(&[&files[..], &["--answer-key", &key]].concat()).status.success());
    let again = out.replace("out", "another");
    let files = ["--seed", "8", "--sink", "files", "--out", &again, "--fast", "--count", "10", "--answer-key", &key];
    assert_refused(&files, "give --answer-key a folder that is new or empty");
    let verify = ["verify", "--files", &out];
    assert_refused(&[&verify[..], &["--bootstrap-servers", "localhost:1"]].concat(), "name two logs to verify");
    assert_refused(&[&verify[..], &["--partitions", "7"]].concat(), "manifest.json says, which is 6");
    // As it was written, it does no harm.
    let right = run(&[&verify[..], &["--partitions", "6"]].concat());
    assert_eq!(right.status.code(), Some(0), "{}", seen(&right));
}

fn assert_refused(args: &[&str], why: &str) {
    let output = run(args);
    assert_eq!(output.status.code(), Some(2), "{}", seen(&output));
    assert!(stderr(&output).contains(why), "{}", stderr(&output));
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let mut program = program(&["--sink", "stdout", "--fast", "--count", "1000000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(program.stdout.take().unwrap()), &mut line).unwrap();
    let output = program.wait_with_output().unwrap();
    // The heading was said before.
    let said = stderr(&output);
    let last = said.lines().nth(2).unwrap_or_default();
    assert_eq!((output.status.code(), said.lines().count()), (Some(0), 3), "{said}");
    assert_eq!(last, "the reader of standard output has gone: the run ends there");
}

#[test]
fn a_signal_stops_an_unfinished_window_with_code_5() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let mut stopped =
        program(&["--sink", "files", "--fast", "--count", "2000000000", "--out", &out.display().to_string()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    while fs::metadata(out.join("clicks.ndjson")).map_or(0, |file| file.len()) == 0 {
        assert!(stopped.try_wait().unwrap().is_none(), "ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-TERM", &stopped.id().to_string()]).status().unwrap().success());
    let output = stopped.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", seen(&output));
    assert!(stderr(&output).contains("stopped after"));
    let manifest: Value = serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["complete"], false);
    assert!(stderr(&output).contains("add --overwrite to write them again"), "{}", stderr(&output));
    // What was to be there is not; what is there is as it should be.
    let verify = |more: &[&str]| run(&[&["verify", "--files", &out.display().to_string()], more].concat());
    let short = verify(&[]);
    assert_eq!(short.status.code(), Some(1), "{}", seen(&short));
    assert!(stderr(&short).contains("its run was ended before the window was complete"), "{}", seen(&short));
    let prefix = verify(&["--prefix"]);
    assert_eq!(prefix.status.code(), Some(0), "{}", seen(&prefix));
    let request = lines(&out.join("bid-requests.ndjson")).pop().unwrap();
    assert!(serde_json::from_str::<Value>(&request).is_ok(), "ended within a record");
}

/// Waits until a live program has printed so many lines, then asks it to end.
fn lines_of_a_live_run(args: &[&str], count: usize) -> (Vec<String>, Output) {
    let mut live = program(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufReader::new(live.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..count {
        std::io::BufRead::read_line(&mut out, &mut text).unwrap();
    }
    assert!(Command::new("kill").args(["-INT", &live.id().to_string()]).status().unwrap().success());
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    (text.lines().map(str::to_owned).collect(), live.wait_with_output().unwrap())
}

#[test]
fn live_begins_now_and_ends_with_0_on_a_signal() {
    let before = wall_clock_ms();
    let (lines, output) =
        lines_of_a_live_run(&["--sink", "stdout", "--from", "now", "--events-per-second", "200"], 100);
    let after = wall_clock_ms();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("late by"), "{}", stderr(&output));
    let times: Vec<i64> = lines.iter().map(|line| timestamp(line)).collect();
    assert!(times.is_sorted() && times[0] >= before && times[times.len() - 1] <= after, "{before} {times:?} {after}");
}

#[test]
fn a_start_in_the_past_is_backfill_then_live_without_a_seam() {
    let from = mock_data_gen::generator::timestamp::Timestamp(wall_clock_ms() - 20_000).to_string();
    let args = ["--events-per-second", "100", "--from", &from];
    // More than the 20 seconds of the past hold, so that the run is live when it is stopped.
    let (live, output) = lines_of_a_live_run(&[&["--sink", "stdout"], &args[..]].concat(), 3_600);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let fast = stdout(&succeed(&[&["--sink", "stdout", "--fast", "--count", "4000"], &args[..]].concat()));
    let fast: Vec<String> = fast.lines().take(live.len()).map(str::to_owned).collect();
    assert_eq!(live, fast);
}

fn wall_clock_ms() -> i64 {
    mock_data_gen::player::pace::wall_clock_us() / 1_000
}

fn timestamp(line: &str) -> i64 {
    serde_json::from_str::<Value>(line).unwrap()["timestamp"].as_i64().unwrap()
}

#[test]
fn no_kafka_is_said_with_the_ways_out() {
    let output = run(&["--bootstrap-servers", "127.0.0.1:1", "--fast"]);
    assert_eq!(output.status.code(), Some(3));
    snapshot("no-kafka", seen(&output));
}

#[test]
fn shards_share_the_partitions_of_a_window() {
    let lines = |more: &[&str]| {
        let args = [&["--sink", "stdout", "--fast", "--count", "2000", "--click-rate", "0.5"], more].concat();
        let text = stdout(&succeed(&args));
        let mut partitions: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let json: Value = serde_json::from_str(line).unwrap();
            let partition = (json["topic"].as_str().unwrap().to_owned(), json["partition"].as_u64().unwrap());
            partitions.entry(partition).or_default().push(line.to_owned());
        }
        partitions
    };
    let whole = lines(&[]);
    let mut together = BTreeMap::new();
    for shard in ["0/3", "1/3", "2/3"] {
        let part = lines(&["--shard", shard]);
        assert!(!part.is_empty());
        together.extend(part);
    }
    assert_eq!(whole, together);

    // The variable, and a manifest and a report that do not claim more than is there.
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let args = ["--sink", "files", "--out", out.to_str().unwrap(), "--fast", "--count", "200", "--report", "json"];
    let output = program(&args).env("MDG_SHARD", "1/3").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let manifest: Value = serde_json::from_str(&fs::read_to_string(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!((&report["shard"], &manifest["shard"]), (&"1/3".into(), &"1/3".into()));
}
