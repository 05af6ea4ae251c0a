//! Bad input, made from the option table itself: every option × {empty, wrong type, out of range, contradictory} × {flag,
//! variable, file}. Each is refused with exit code 2 and one message that names option, value and origin, with nothing on standard
//! output and nothing half-written. An empty variable alone is unset.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "cli")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::{Arg, ArgAction};
use tempfile::TempDir;

/// What is wrong for an option, apart from the empty value.
struct Bad {
    option: &'static str,
    /// Not of its type, or not of its form.
    wrong: &'static [&'static str],
    /// Of its type, but not of its range.
    out_of_range: &'static [&'static str],
    /// A legal value, and other options that it contradicts.
    contradictory: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

const fn bad(
    option: &'static str,
    wrong: &'static [&'static str],
    out_of_range: &'static [&'static str],
    contradictory: &'static [(&'static str, &'static [(&'static str, &'static str)])],
) -> Bad {
    Bad { option, wrong, out_of_range, contradictory }
}

const NUMBER: &[&str] = &["many", "-1", "1.5x", "0x10", " 7", "7 ", "1e3", "½"];
const DECIMAL: &[&str] = &["often", "-0.1", "1e-3", "+0.5", "0.5.5", "50%", "NaN"];
const SHARE: &[&str] = &["often", "-0.1", "1e-3", "+0.5", "0.5.5", "50 %", "%", "5%%", "NaN"];
const SPREAD: &[&str] = &["often", "-0.1:1s", "0.1:", "0.1:soon", "0.1:20", ":1s", "0.1:1s:1s", "10%:", "%:1s"];
const TIME: &[&str] =
    &["yesterday", "2026-1-1", "2026-02-30", "2026-02-01T00:00:00", "2026-13-01T00:00:00Z", "1767225600"];
const COUNT: &[&str] = &["many", "-1", "1.5x", "0x10", " 7", "7 ", "1e3", "½", "1.5", "10m", "10Ki", "10,000", "k"];
const TOPIC: &[&str] = &["a b", "a/b", "tópico", "."];
const SWITCH: &[&str] = &["perhaps", "2", "truth"];
const WORD: &[&str] = &["nonsense", "KAFKA!", "0"];

/// Every option of a run, by long name. `the_tables_hold_every_option` keeps it whole.
const TABLE: &[Bad] = &[
    bad("seed", NUMBER, &["18446744073709551616"], &[]),
    bad(
        "epoch",
        TIME,
        &["1970-01-01T00:00:00Z", "9999-12-31T22:00:00.001Z", "2026-01-01T00:00:00.0001Z"],
        &[("2027-01-01T00:00:00Z", &[("from", "2026-06-01T00:00:00Z")])],
    ),
    bad("events-per-second", DECIMAL, &["0", "0.0009", "1000000.1", "0.0000001"], &[]),
    bad("bid-response-rate", SHARE, &["1.1", "0.0000000001"], &[]),
    bad("win-rate", SHARE, &["2", "1.000000001"], &[]),
    bad("click-rate", SHARE, &["99999999999999999999", "1.01"], &[]),
    bad("users", COUNT, &["0", "1000000001"], &[]),
    bad("profile", WORD, &[], &[]),
    bad("key-by", WORD, &[], &[]),
    bad("headers", SWITCH, &[], &[]),
    bad("late", SPREAD, &["1.1:1s", "0.1:0s", "0.1:61m", "0.1:1us"], &[("0.1:58m", &[("duplicates", "0.1:5m")])]),
    bad("duplicates", SPREAD, &["2", "0.1:2h"], &[("0.1:58m", &[("late", "0.1:5m")])]),
    bad("conflicts", SPREAD, &["2", "0.1:2h"], &[("0.1:58m", &[("late", "0.1:5m")])]),
    bad("orphans", SHARE, &["1.1", "0.0000000001"], &[]),
    bad(
        "boundary",
        &["often", "0.1:1s", "0.1:1s,1s", "0.1:1s,1s,1s,1s", "0.1:1s,1s,soon", "0.1:,,"],
        &["1.1", "0.1:0s,1s,1s", "0.1:1s,1s,2h"],
        &[("0.1:30m,30m,30m", &[("late", "0.1:1s")])],
    ),
    bad("malformed", SHARE, &["1.1"], &[("0.1", &[("sink", "files"), ("out", "unused")])]),
    bad("invalid", SHARE, &["1.1"], &[]),
    bad("tombstones", SHARE, &["1.1"], &[("0.1", &[("sink", "files"), ("out", "unused")])]),
    bad(
        "idle",
        &["click", "click:10m", "clicks:10m:1s", "10m:1s", "click:soon:1s", "click:2026-13-01T00:00:00Z:1s"],
        &["click:10m:2h", "click:10m:0s"],
        &[("click:10m:58m", &[("late", "0.1:5m")])],
    ),
    bad("hot-user", SHARE, &["1.1"], &[]),
    bad("topic-bid-requests", TOPIC, &[], &[("same", &[("topic-clicks", "same")])]),
    bad("topic-bid-responses", TOPIC, &[], &[("same", &[("topic-clicks", "same")])]),
    bad("topic-impressions", TOPIC, &[], &[("same", &[("topic-clicks", "same")])]),
    bad("topic-clicks", TOPIC, &[], &[("same", &[("topic-bid-requests", "same")])]),
    bad("topic-prefix", &["a b", "a/b", "tópico"], &[], &[]),
    bad("partitions", NUMBER, &["0", "2147483648", "99999999999999999999"], &[]),
    bad(
        "from",
        TIME,
        &["1969-12-31T23:59:59Z", "2025-12-31T23:59:59.999Z"],
        &[("2026-02-01T00:00:00Z", &[("to", "2026-02-01T00:00:00Z")])],
    ),
    bad(
        "to",
        TIME,
        &["1969-12-31T23:59:59Z", "2025-12-31T23:59:59.999Z"],
        &[("2026-02-01T00:00:00Z", &[("count", "5")]), ("2026-02-01T00:00:00Z", &[("duration", "5s")])],
    ),
    bad("count", COUNT, &["0", "18446744073709551616", "9999999999999"], &[("5", &[("duration", "5s")])]),
    bad("duration", &["soon", "-5s", "5", "1.5.5s"], &["0s", "1us", "9999y"], &[("5s", &[("count", "5")])]),
    bad("fast", SWITCH, &[], &[("true", &[("speed", "60")])]),
    bad("threads", NUMBER, &["0", "257", "-1"], &[]),
    bad("speed", DECIMAL, &["0", "1000000.1", "0.0000001"], &[("60", &[("fast", "true")])]),
    bad("sink", WORD, &[], &[("null", &[("out", "unused")]), ("stdout", &[("envelope", "true")])]),
    bad("out", &[], &[], &[("unused", &[("sink", "null")])]),
    bad("overwrite", SWITCH, &[], &[("true", &[("sink", "stdout")])]),
    bad("envelope", SWITCH, &[], &[("true", &[("sink", "stdout")])]),
    bad(
        "bootstrap-servers",
        &["no where:1", "host:port", ":9092", "a:1,,b:2", "security.protocol=SSL"],
        &["host:0", "host:65536"],
        &[("embedded", &[("sink", "kafka"), ("replication-factor", "1")])],
    ),
    bad("replication-factor", NUMBER, &["0", "32768"], &[("1", &[("sink", "null")])]),
    bad(
        "delivery",
        WORD,
        &[],
        &[
            ("exactly-once", &[("sink", "null")]),
            ("exactly-once", &[("bootstrap-servers", "embedded")]),
            ("exactly-once", &[("resume", "never")]),
        ],
    ),
    bad(
        "resume",
        WORD,
        &[],
        &[
            ("never", &[("sink", "null")]),
            ("recreate", &[("bootstrap-servers", "embedded")]),
            ("recreate", &[("shard", "0/2"), ("from", "epoch")]),
            ("recreate", &[("catch-up", "1h")]),
        ],
    ),
    bad(
        "catch-up",
        &["soon", "-5s", "5", "1.5.5s"],
        &["0s", "1us"],
        &[("24h", &[("sink", "null")]), ("24h", &[("bootstrap-servers", "embedded")])],
    ),
    bad(
        "shard",
        &["many", "1", "1of3", "a/b", "-1/3", "1/3/5"],
        &["3/3", "0/0", "0/4294967296"],
        &[("0/3", &[("from", "now")])],
    ),
    bad("embedded-port", NUMBER, &["0", "65536"], &[("1234", &[("sink", "null")])]),
    bad("hold", SWITCH, &[], &[("true", &[("sink", "null")])]),
    bad(
        "listen",
        &["here", "localhost", "8080", "127.0.0.1", "127.0.0.1:http", "::1:80"],
        &["127.0.0.1:65536", "256.0.0.1:80"],
        &[],
    ),
    bad("quiet", SWITCH, &[], &[]),
    bad("log-format", WORD, &[], &[]),
    bad("report", WORD, &[], &[]),
    bad("report-file", &["-"], &[], &[]),
    bad("fingerprint", SWITCH, &[], &[]),
    bad("answer-key", &[], &[], &[("unused", &[("shard", "0/2")])]),
];

/// What only other commands take, and bad values of it: a long name, or what the help calls a value that has none.
const OTHERS: &[(&str, &str, &[&str])] = &[
    ("verify", "files", &[]),
    ("verify", "prefix", SWITCH),
    ("verify", "report", WORD),
    ("verify", "from", &["now"]),
    ("verify", "to", &["now"]),
    ("answer-key", "out", &[]),
    ("answer-key", "from", &["now"]),
    (
        "answer-key",
        "bound",
        &["1s", "request_click=1s", "request_response=soon", "request_response=0s", "request_response="],
    ),
    ("answer-key", "window", &["soon", "0s", "-5s", "9999999999y"]),
    ("answer-key", "watermark-delay", &["soon", "0s", "-5s"]),
    (
        "show",
        "AUCTION",
        &["many", "-1", "1.5", "18446744073709551616", "99999999999999999", "00000000-0000-5000-8000-00000000000g"],
    ),
    ("show", "at", &["yesterday", "1767225600"]),
    ("show", "within", &["0", "many"]),
    ("schema", "EVENT", WORD),
    ("schema", "format", &["ddl-oracle", "avro"]),
    ("completions", "SHELL", WORD),
    ("man", "COMMAND", WORD),
    ("health", "URL", &["here", "https://127.0.0.1:1/livez", "127.0.0.1:0", "::1:80"]),
];

/// Where a value is given.
#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Flag,
    Variable,
    File,
}

/// The options of the run, which are those of the program without a command.
fn options() -> Vec<Arg> {
    let help = |arg: &Arg| matches!(arg.get_action(), ArgAction::Help | ArgAction::Version);
    mock_data_gen::cli::command()
        .get_arguments()
        .filter(|arg| arg.get_long().is_some_and(|long| long != "config") && !help(arg))
        .cloned()
        .collect()
}

fn option(long: &str) -> Arg {
    options().into_iter().find(|arg| arg.get_long() == Some(long)).unwrap_or_else(|| panic!("no option {long}"))
}

/// An argument of a command as the tables call it.
fn called(arg: &Arg) -> String {
    let value = || arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    arg.get_long().map(str::to_owned).or_else(value).unwrap_or_else(|| arg.get_id().to_string().to_uppercase())
}

#[test]
fn the_tables_hold_every_option() {
    let known = |name: &str| {
        TABLE.iter().any(|bad| bad.option == name) || ["config", "help", "version", "KEY=VALUE"].contains(&name)
    };
    let others: BTreeSet<&str> = OTHERS.iter().map(|(_, name, _)| *name).collect();
    for command in mock_data_gen::cli::command().get_subcommands() {
        for name in command.get_arguments().map(called) {
            assert!(known(&name) || others.contains(&*name), "{}: give {name} its bad values", command.get_name());
        }
    }
    let table: BTreeSet<&str> = TABLE.iter().map(|bad| bad.option).collect();
    let options = options();
    let options: BTreeSet<&str> = options.iter().filter_map(Arg::get_long).collect();
    assert_eq!(table, options, "give each option its bad values");
    for bad in TABLE {
        let free = ["out", "answer-key"].contains(&bad.option);
        assert!(free || !bad.wrong.is_empty(), "{}", bad.option);
    }
}

/// A program about to write a fixture, unless what is wrong is about something else.
struct Attempt {
    folder: TempDir,
    command: Command,
    file: String,
}

impl Attempt {
    fn new(given: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.env_clear().stdin(Stdio::null()).current_dir(folder.path());
        let is_given = |option: &str| given.contains(&option);
        let kafka = ["bootstrap-servers", "replication-factor", "resume", "delivery", "hold", "embedded-port"]
            .iter()
            .any(|option| is_given(option));
        if !is_given("sink") && !is_given("out") && !kafka {
            command.args(["--sink", "files", "--out", "written"]);
        }
        if !is_given("fast") && !is_given("speed") {
            command.arg("--fast");
        }
        if !["to", "count", "duration", "from"].iter().any(|option| is_given(option)) {
            command.args(["--count", "1"]);
        }
        Self { folder, command, file: String::new() }
    }

    fn give(&mut self, by: By, long: &str, value: &str) {
        let arg = option(long);
        match by {
            By::Flag if matches!(arg.get_action(), ArgAction::SetTrue) && value == "true" => {
                self.command.arg(format!("--{long}"));
            }
            By::Flag => {
                self.command.arg(format!("--{long}={value}"));
            }
            By::Variable => {
                self.command.env(arg.get_env().unwrap(), value);
            }
            By::File => {
                writeln!(self.file, "{long} = {}", toml_text(value)).unwrap();
            }
        }
    }

    fn run(mut self) -> (Output, TempDir) {
        if !self.file.is_empty() {
            fs::write(self.folder.path().join("mdg.toml"), &self.file).unwrap();
            self.command.args(["--config", "mdg.toml"]);
        }
        (self.command.output().unwrap(), self.folder)
    }
}

fn toml_text(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Exit code 2, one message that names what is wrong, and nothing else.
fn assert_refused(output: &Output, folder: &Path, names: &[&str], what: &str) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{what}: {message}");
    assert!(output.stdout.is_empty(), "{what}: something on standard output");
    assert!(!message.contains("panicked"), "{what}: {message}");
    assert_eq!(message.matches("error:").count(), 1, "{what}: {message}");
    for name in names {
        assert!(message.contains(name), "{what} does not name `{name}`: {message}");
    }
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "mdg.toml"), "{what} left {left:?}");
}

/// The words that say where a value was given.
fn origin(by: By, long: &str) -> String {
    match by {
        By::Flag => format!("--{long}"),
        By::Variable => option(long).get_env().unwrap().to_str().unwrap().to_owned(),
        By::File => "mdg.toml, line ".to_owned(),
    }
}

fn refused(long: &str, value: &str, kind: &str) {
    for by in [By::Flag, By::Variable, By::File] {
        let mut attempt = Attempt::new(&[long]);
        attempt.give(by, long, value);
        let (output, folder) = attempt.run();
        let flag = format!("--{long}");
        let mut names = vec![flag.as_str()];
        let origin = origin(by, long);
        names.push(&origin);
        names.push(value);
        assert_refused(&output, folder.path(), &names, &format!("{flag} {kind} `{value}` by {by:?}"));
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    for bad in TABLE {
        for value in bad.wrong {
            refused(bad.option, value, "of the wrong type");
        }
    }
}

#[test]
fn a_value_out_of_range_is_refused() {
    for bad in TABLE {
        for value in bad.out_of_range {
            refused(bad.option, value, "out of range");
        }
    }
}

#[test]
fn an_empty_value_is_refused_but_an_empty_variable_is_unset() {
    for bad in TABLE {
        for by in [By::Flag, By::File] {
            let mut attempt = Attempt::new(&[bad.option]);
            attempt.give(by, bad.option, "");
            let (output, folder) = attempt.run();
            let flag = format!("--{}", bad.option);
            assert_refused(
                &output,
                folder.path(),
                &[&flag, &origin(by, bad.option)],
                &format!("empty {flag} by {by:?}"),
            );
        }
    }
    // All of them at once.
    let mut attempt = Attempt::new(&[]);
    for bad in TABLE {
        attempt.give(By::Variable, bad.option, "");
    }
    let (output, folder) = attempt.run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.path().join("written/manifest.json").exists());
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for bad in TABLE {
        for (value, others) in bad.contradictory {
            for by in [By::Flag, By::Variable, By::File] {
                let mut given: Vec<&str> = others.iter().map(|(option, _)| *option).collect();
                given.push(bad.option);
                let mut attempt = Attempt::new(&given);
                attempt.give(by, bad.option, value);
                for (option, value) in *others {
                    attempt.give(by, option, value);
                }
                let (output, folder) = attempt.run();
                let flag = format!("--{}", bad.option);
                let what = format!("{flag}={value} beside {others:?} by {by:?}");
                assert_refused(&output, folder.path(), &[&flag, &origin(by, bad.option)], &what);
            }
        }
    }
}

#[test]
fn what_other_commands_take_is_refused_too() {
    for (command, name, values) in OTHERS {
        for value in *values {
            let folder = tempfile::tempdir().unwrap();
            let mut program = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
            program.env_clear().stdin(Stdio::null()).current_dir(folder.path()).arg(command);
            if *command == "answer-key" {
                program.args(["--out", "key", "--count", "1"]);
            }
            let is_long = name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let given = if is_long { format!("--{name}={value}") } else { (*value).to_owned() };
            let output = program.arg(given).output().unwrap();
            let flag = if is_long { format!("--{name}") } else { String::new() };
            assert_refused(&output, folder.path(), &[&flag, value], &format!("{command}: {name} `{value}`"));
        }
    }
}

/// Properties of the Kafka client, which have no option of their own.
#[test]
fn bad_properties_are_refused_wherever_they_are_given() {
    let cases = [
        ("acks", "1"),
        ("linger.ms", "soon"),
        ("sasl.pasword", "hunter2"),
        ("linger.ms", ""),
        ("socket.timeout.ms", "30s"),
        ("socket.timeout.ms", "1e5"),
        ("fetch.wait.max.ms", "010"),
        ("topic.acks", "1"),
        ("ssl.ca.location", "/nowhere"),
    ];
    for (key, value) in cases {
        for by in [By::Flag, By::Variable, By::File] {
            let mut attempt = Attempt::new(&["bootstrap-servers"]);
            let origin = match by {
                By::Flag => {
                    attempt.command.args(["-X", &format!("{key}={value}")]);
                    format!("-X {key}")
                }
                By::Variable => {
                    let name = format!("MDG_KAFKA_{}", key.to_uppercase().replace('.', "_"));
                    attempt.command.env(&name, value);
                    name
                }
                By::File => {
                    attempt.file = format!("[kafka]\n\"{key}\" = {}\n", toml_text(value));
                    "mdg.toml, line 2".to_owned()
                }
            };
            attempt.command.args(["--bootstrap-servers", "127.0.0.1:1"]);
            if by == By::Variable && value.is_empty() {
                continue;
            }
            let (output, folder) = attempt.run();
            assert_refused(&output, folder.path(), &[key, &origin], &format!("{key}={value} by {by:?}"));
            assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "a secret is shown");
        }
    }
}

/// Each is known and well-formed, but this build of the client cannot do it.
#[test]
fn properties_that_the_client_cannot_work_with_are_refused() {
    for command in [&["run", "--fast"][..], &["check", "--fast"], &["verify"]] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        program.env_clear().stdin(Stdio::null()).current_dir(folder.path()).args(command);
        program.args(["--bootstrap-servers", "127.0.0.1:1", "-X", "security.protocol=sasl_plaintext"]);
        let output = program.output().unwrap();
        assert_refused(&output, folder.path(), &["properties (-X,", "GSSAPI"], command[0]);
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let files: [(&str, &[u8], &str); 9] = [
        ("not TOML", b"seed 42", "mdg.toml, line 1"),
        ("an unknown key", b"\n\nsede = 42", "mdg.toml, line 3: there is no option `sede`; did you mean `seed`?"),
        ("an unknown table", b"[kafak]\nlinger.ms = 5", "mdg.toml, line 1: there is no table [kafak]"),
        ("a key twice", b"seed = 1\nseed = 2", "mdg.toml, line 2"),
        ("a list", b"seed = [1, 2]", "mdg.toml, line 1: `seed` is a list"),
        ("not UTF-8", b"seed = \"\xff\"", "mdg.toml"),
        ("a NUL", b"out = \"a\\u0000b\"\nseed = \"a\0b\"", "mdg.toml, line 2"),
        ("a secret in a broken line", b"[kafka]\nsasl.password = hunter2", "mdg.toml, line 2"),
        ("half a table", b"[kafka", "mdg.toml, line 1"),
    ];
    for (what, text, expected) in files {
        let attempt = Attempt::new(&[]);
        fs::write(attempt.folder.path().join("mdg.toml"), text).unwrap();
        let Attempt { folder, mut command, .. } = attempt;
        let output = command.args(["--config", "mdg.toml"]).output().unwrap();
        assert_refused(&output, folder.path(), &[expected], what);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"), "{what}: a secret is shown");
    }
    for path in ["nowhere.toml", "/"] {
        let Attempt { folder, mut command, .. } = Attempt::new(&[]);
        let output = command.args(["--config", path]).output().unwrap();
        assert_refused(&output, folder.path(), &[path], path);
    }
    // Windows editors put a byte order mark before and CR LF behind.
    let attempt = Attempt::new(&[]);
    fs::write(attempt.folder.path().join("mdg.toml"), "\u{feff}seed = 7\r\nwin-rate = 0.5\r\n").unwrap();
    let Attempt { folder: _folder, mut command, .. } = attempt;
    let output = command.args(["--config", "mdg.toml"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
