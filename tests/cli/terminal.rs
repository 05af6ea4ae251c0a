//! What standard error shows to people on a terminal, to a pipe, and to programs that read JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "cli")]

use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::program;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mock-data-gen");

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// What a terminal of 80 columns is sent. `script` gives the program a terminal of its own.
fn on_a_terminal(args: &str) -> String {
    let mut command = Command::new("script");
    command
        .args(["-qec", &format!("{PROGRAM} {args}"), "/dev/null"])
        .stdin(Stdio::null())
        .env("TERM", "xterm")
        .env_remove("RUST_LOG");
    let (_, text, _) = run(&mut command);
    text
}

/// The moving line's pictures: what stands between two clearings of the line.
fn pictures(text: &str) -> Vec<&str> {
    text.split(['\r', '\n']).map(|line| line.trim_start_matches("\x1b[2K").trim_end()).collect()
}

#[test]
fn a_window_with_an_end_has_a_bar_with_rate_and_time_left() {
    let text = on_a_terminal("--sink null --speed 2 --count 60");
    let bars: Vec<&str> = pictures(&text).into_iter().filter(|line| line.contains(" of 60 auctions, ")).collect();
    assert!(bars.len() > 3, "{text:?}");
    assert!(bars.iter().any(|bar| bar.starts_with('█') && bar.contains(" records/s, ") && bar.ends_with("s left")));
    // The line is gone when the report is there.
    let report = text.split("topic ").last().unwrap();
    assert!(report.contains("done in") && !report.contains('█'), "{text:?}");
}

#[test]
fn a_window_without_end_has_one_line_of_status() {
    let text = on_a_terminal("--sink null --events-per-second 500 & pid=$!; sleep 2; kill -INT $pid; wait $pid");
    let lines: Vec<&str> = pictures(&text).into_iter().filter(|line| line.contains(" auctions, ")).collect();
    let last = lines.last().unwrap_or_else(|| panic!("{text:?}"));
    for part in [" records/s, ", " ms late, at 2"] {
        assert!(last.contains(part), "{last}");
    }
    assert!(!last.contains("acked"), "{last}");
    assert!(text.contains("stopped after"), "{text:?}");
}

#[test]
fn nothing_moves_where_nobody_looks() {
    for (args, kind) in [("--quiet", "quiet"), ("--log-format json", "json")] {
        let text = on_a_terminal(&format!("--sink null --speed 4 --count 60 {args}"));
        assert!(!text.contains(" auctions, ") && !text.contains('\x1b'), "{kind}: {text:?}");
    }
    // Standard output fills the same terminal.
    let text = on_a_terminal("--sink stdout --speed 4 --count 60");
    assert!(text.contains("{\"topic\"") && !text.contains(" records/s, "), "{text:?}");
    let (code, _, piped) = run(&mut program(&["--sink", "null", "--speed", "4", "--count", "60"]));
    assert_eq!(code, Some(0));
    assert!(!piped.contains(['\r', '\x1b']) && !piped.contains(" of 60 auctions"), "{piped:?}");
}

#[test]
fn quiet_leaves_errors_and_what_was_asked_for() {
    let null = ["--sink", "null", "--fast", "--count", "10"];
    let quiet = run(&mut program(&[&null[..], &["--quiet"]].concat()));
    assert_eq!(quiet, (Some(0), String::new(), String::new()));
    let by_variable = run(program(&null).env("MDG_QUIET", "true"));
    assert_eq!(by_variable, (Some(0), String::new(), String::new()));
    let by_both = run(program(&[&null[..], &["-q"]].concat()).env("MDG_QUIET", "true"));
    assert_eq!(by_both, (Some(0), String::new(), String::new()));
    let embedded = ["--bootstrap-servers", "embedded", "--fast", "--count", "10", "-q", "--listen", "127.0.0.1:0"];
    assert_eq!(run(&mut program(&embedded)), (Some(0), String::new(), String::new()));
    let (_, report, said) = run(&mut program(&[&null[..], &["--quiet", "--report", "json"]].concat()));
    assert_eq!((report.lines().count(), said.as_str()), (1, ""));
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap()["records"], 18);
    let (_, _, warned) = run(&mut program(&[&null[..], &["--quiet", "--listen", "0.0.0.0:0"]].concat()));
    assert!(warned.contains("WARN listen: "), "{warned}");
    let (code, _, error) = run(&mut program(&["--sink", "null", "--out", "x", "--quiet"]));
    assert_eq!(code, Some(2));
    assert!(error.starts_with("error: --out is the folder of --sink files"), "{error}");
}

#[test]
fn a_reader_that_does_not_read_holds_no_run_up_after_a_signal() {
    let mut command = program(&["--sink", "stdout", "--fast"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Until the pipe is full.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None);
    let begin = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let ended = child.wait().unwrap();
    assert!(begin.elapsed() < limit(6), "{:?}", begin.elapsed());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(ended.code(), Some(3), "{said}");
    assert!(said.contains("error: the run did not end in time after the signal"), "{said}");
}

fn signal(child: &std::process::Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn signals_that_come_together_are_one_wish() {
    let text = ["--sink", "null", "--events-per-second", "1000"];
    let json = ["--sink", "null", "--events-per-second", "1000", "--log-format", "json"];
    // As timeout(1) does it: to the process, to its group, and then a SIGCONT to both.
    let timeout = ["-TERM", "-TERM", "-CONT", "-CONT"];
    let groups: [&[&str]; 5] =
        [&["-TERM", "-TERM"], &["-INT", "-TERM"], &["-TERM", "-INT", "-TERM"], &["-INT", "-INT"], &timeout];
    for (signals, args) in groups.into_iter().zip([&text[..], &json].into_iter().cycle()) {
        for stopped in [true, false] {
            let mut child = program(args).stderr(Stdio::piped()).spawn().unwrap();
            let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
            let mut text = String::new();
            std::io::BufRead::read_line(&mut said, &mut text).unwrap();
            // All that are pending are delivered together when the process goes on.
            if stopped {
                signal(&child, "-STOP");
            }
            for name in signals {
                signal(&child, name);
            }
            if stopped {
                signal(&child, "-CONT");
            }
            said.read_to_string(&mut text).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(0), "{signals:?}, stopped {stopped}: {text}");
            assert!(
                text.contains("records_per_second") || text.contains("records/s"),
                "{signals:?}: no report: {text}"
            );
        }
    }
}

#[test]
fn a_signal_a_second_after_the_first_ends_the_run_at_once() {
    let mut command = program(&["--sink", "stdout", "--fast"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Until the pipe is full: the run cannot see that it was asked, and would end by itself with code 3 after almost 5 s.
    std::thread::sleep(Duration::from_secs(1));
    signal(&child, "-TERM");
    signal(&child, "-INT");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "two signals together are one wish");
    std::thread::sleep(Duration::from_millis(900));
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

/// Each line as an object. All but the report are log lines: time, level, target, message.
fn json_lines(command: &mut Command, code: i32) -> Vec<Value> {
    let (ended, _, text) = run(command.args(["--log-format", "json"]));
    assert_eq!(ended, Some(code), "{text}");
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let lines: Vec<Value> = text.lines().map(parse).collect();
    assert!(!lines.is_empty());
    for line in lines.iter().filter(|line| line.get("records_per_second").is_none()) {
        let time = line["timestamp"].as_str().unwrap();
        assert!(
            mock_data_gen::generator::timestamp::parse_time_ms(&format!("{}Z", &time[..23]), i64::MAX).is_ok(),
            "{line}"
        );
        assert!(time.ends_with('Z'), "{line}");
        assert!(["TRACE", "DEBUG", "INFO", "WARN", "ERROR"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(line["target"].is_string() && line["message"].is_string(), "{line}");
        assert!(!line["message"].as_str().unwrap().contains("  "), "columns for people: {line}");
    }
    lines
}

fn messages<'a>(lines: &'a [Value], level: &str) -> Vec<&'a str> {
    lines.iter().filter(|line| line["level"] == level).map(|line| line["message"].as_str().unwrap()).collect()
}

#[test]
fn every_line_is_json_when_asked_for_after_a_success() {
    let null = json_lines(&mut program(&["--sink", "null", "--fast"]), 0);
    let notes = messages(&null, "INFO");
    assert!(notes.iter().any(|note| note.starts_with("playing one hour of virtual time")), "{notes:?}");
    let begins = null.iter().find(|line| line["message"] == "begins").unwrap();
    assert_eq!(
        (&begins["first_ordinal"], &begins["end_ordinal"], &begins["seed"]),
        (&0.into(), &36_000.into(), &"42".into())
    );
    assert_eq!(begins["first_arrival"], "2026-01-01T00:00:00.082Z");
    assert!(begins["stream_id"].as_str().unwrap().len() == 64 && begins.get("resumed_from").is_none(), "{begins}");
    assert_eq!(null.last().unwrap()["complete"], true);
    for level in ["debug", "off"] {
        let embedded = ["--bootstrap-servers", "embedded", "--fast", "--count", "500", "--listen", "127.0.0.1:0"];
        let lines = json_lines(program(&embedded).env("RUST_LOG", level), 0);
        let notes = messages(&lines, "INFO");
        for said in ["health and metrics at http://", "embedded broker at ", "read back "] {
            assert!(notes.iter().any(|note| note.starts_with(said)), "{said}: {notes:?}");
        }
        let address = |said: &str| {
            let line = lines.iter().find(|line| line["message"].as_str().is_some_and(|note| note.starts_with(said)));
            line.unwrap()["address"].as_str().unwrap().starts_with("127.0.0.1:")
        };
        assert!(address("embedded broker at ") && address("health and metrics at "));
        assert_eq!(lines.iter().filter(|line| line["acked"].is_u64()).count(), 1, "one report");
        assert_eq!(lines.iter().any(|line| line["target"] == "librdkafka"), level == "debug");
    }
}

#[test]
fn every_line_is_json_when_asked_for_after_an_error() {
    let usage = json_lines(&mut program(&["--sink", "null", "--out", "x"]), 2);
    assert_eq!(messages(&usage, "ERROR"), ["--out is the folder of --sink files: add that, or omit --out"]);
    assert_eq!(usage.last().unwrap()["exit_code"], 2);
    let window = json_lines(&mut program(&["--sink", "null", "--fast", "--from", "2025-01-01T00:00:00Z"]), 2);
    assert_eq!(messages(&window, "ERROR").len(), 1);
    let mut kafka = program(&["--bootstrap-servers", "127.0.0.1:1", "--fast"]);
    let kafka = json_lines(kafka.env("RUST_LOG", "off"), 3);
    assert!(messages(&kafka, "ERROR")[0].starts_with("no Kafka broker answered at 127.0.0.1:1"), "{kafka:?}");
    assert_eq!(kafka.last().unwrap()["exit_code"], 3);
}

#[test]
fn people_read_a_message_once_and_not_its_fields() {
    let said = |form: &str| {
        let live = ["--sink", "null", "--events-per-second", "1000", "--log-format", form];
        let mut child = program(&live).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut text = String::new();
        std::io::BufRead::read_line(&mut out, &mut text).unwrap();
        // It begins, falls behind its timeline, and says so when it goes on.
        std::thread::sleep(Duration::from_secs(2));
        signal(&child, "-STOP");
        std::thread::sleep(Duration::from_secs(3));
        signal(&child, "-CONT");
        std::thread::sleep(Duration::from_secs(1));
        signal(&child, "-TERM");
        out.read_to_string(&mut text).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
        text.lines()
            .find(|line| line.contains("overdue records go at full speed"))
            .unwrap_or_else(|| panic!("{text}"))
            .to_owned()
    };
    let text = said("text");
    assert!(text.ends_with("none is dropped") && !text.contains('='), "{text}");
    let json: Value = serde_json::from_str(&said("json")).unwrap();
    assert!(json["seconds"].as_u64().unwrap() >= 1, "{json}");
}

#[test]
fn debugging_of_the_client_that_is_asked_for_is_shown() {
    let embedded = ["--bootstrap-servers", "embedded", "--fast", "--count", "5"];
    let debugging =
        |args: &[&str]| run(&mut program(&[&embedded[..], args].concat())).2.matches("librdkafka::debug: ").count();
    assert_eq!(debugging(&[]), 0);
    assert!(debugging(&["-X", "debug=broker"]) > 0);
    assert!(debugging(&["--quiet", "-X", "debug=msg,broker"]) > 0);
}

/// A broker that answers each connection with these bytes and closes it.
fn answering(bytes: &'static [u8]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // What was asked is read first: a connection with unread bytes is reset, and its answer lost.
            let _ = stream.read(&mut [0; 4_096]);
            let _ = std::io::Write::write_all(&mut stream, bytes);
        }
    });
    address
}

#[test]
fn a_broker_that_lets_nobody_in_is_named_by_a_headline_of_its_own() {
    // A fatal alert: handshake failure.
    let alert = answering(b"\x15\x03\x03\x00\x02\x02\x28");
    let silent = answering(b"");
    let tls = ["-X", "security.protocol=SSL"];
    let cases: [(&str, &[&str], &str); 3] = [
        (&alert, &tls, "error: the broker makes no TLS connection with this client: ssl://"),
        (&silent, &tls, "error: the broker does not speak TLS at this address: ssl://"),
        (&silent, &[], "error: the broker closed the connection before it answered: "),
    ];
    for (address, more, headline) in cases {
        for command in ["run", "check", "verify"] {
            let pace: &[&str] = if command == "verify" { &[] } else { &["--fast"] };
            let (code, _, text) = run(&mut program(&[&[command, "--bootstrap-servers", address], pace, more].concat()));
            assert_eq!(code, Some(3), "{command}: {text}");
            assert!(text.contains(headline) && !text.contains("no Kafka broker answered"), "{command}: {text}");
        }
    }
}

#[test]
fn the_form_of_logs_comes_from_the_variable_too_and_is_one_of_two() {
    let mut by_variable = program(&["--sink", "null", "--fast", "--count", "1"]);
    let (_, _, text) = run(by_variable.env("MDG_LOG_FORMAT", "json"));
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{text}");
    let (code, _, text) = run(&mut program(&["--sink", "null", "--log-format", "xml"]));
    assert_eq!(code, Some(2));
    assert!(text.contains("--log-format") && text.contains("text, json"), "{text}");
}
