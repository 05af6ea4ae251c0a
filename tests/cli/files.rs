//! A folder that `--sink files` writes: repeated, replaced, left alone, and read back by what its manifest says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::patience::limit;

/// A folder to work in, where the program runs with none of our variables set.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn program(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.args(line.split_whitespace()).env_clear().current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// Exit code, standard output and standard error.
    fn run(&self, line: &str) -> (i32, String, String) {
        ended(self.program(line).output().unwrap())
    }

    /// Standard error of a command that succeeds.
    fn succeed(&self, line: &str) -> String {
        let (code, _, said) = self.run(line);
        assert_eq!(code, 0, "{line}: {said}");
        said
    }

    /// A run into `out` that gets a signal once it has written something.
    fn interrupt(&self, line: &str, signal: &str) {
        let mut child = self.program(line).stderr(Stdio::null()).spawn().unwrap();
        while fs::metadata(self.path("out/bid-requests.ndjson")).map_or(0, |file| file.len()) == 0 {
            sleep(Duration::from_millis(20));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
    }

    /// Every file of a folder with its bytes.
    fn content(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.path(folder)).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        files.filter(|path| path.is_file()).map(|path| (name(&path), fs::read(&path).unwrap())).collect()
    }
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

const WRITE: &str = "--sink files --out out --fast --count 300";

#[test]
fn a_repeated_run_has_nothing_to_do() {
    for form in ["", " --envelope --headers --seed 7", " --topic-clicks c --partitions 3", " --shard 0/2"] {
        let place = Place::new();
        let line = format!("{WRITE}{form}");
        place.succeed(&line);
        let first = place.content("out");
        let written = fs::metadata(place.path("out/manifest.json")).unwrap().modified().unwrap();
        let said = place.succeed(&line);
        assert!(said.contains("nothing to do: the window is complete, its "), "{form}: {said}");
        assert_eq!(place.content("out"), first, "{form}");
        assert_eq!(fs::metadata(place.path("out/manifest.json")).unwrap().modified().unwrap(), written, "{form}");
        assert!(place.succeed(&format!("check {line}")).is_empty());
    }
}

#[test]
fn a_repeated_run_reports_as_one_that_has_nothing_to_do_and_writes_its_answer_key() {
    let place = Place::new();
    place.succeed(WRITE);
    assert_eq!(place.succeed(&format!("{WRITE} --quiet")), "");
    let (code, _, said) = place.run(&format!("{WRITE} --answer-key key"));
    assert!(code == 0 && said.contains("nothing to do") && said.contains("answer key   key"), "{said}");
    assert!(place.path("key/manifest.json").exists());
    assert!(place.succeed(&format!("{WRITE} --answer-key key")).contains("written before"));
}

/// Damage to a folder that was written before.
type Damage = fn(&Place);

#[test]
fn what_is_not_exactly_this_window_is_refused_and_replaced_when_that_is_asked_for() {
    let nothing: Damage = |_| {};
    let cases: [(&str, Damage, &str); 9] = [
        ("--seed 43", nothing, "holds another stream:"),
        ("--count 301", nothing, "holds another window:"),
        ("--from 2026-01-01T00:00:01Z", nothing, "holds another window:"),
        ("--envelope", nothing, "holds another form of lines (with envelopes, or without):"),
        ("--partitions 7", nothing, "holds other topics or partition counts:"),
        ("--topic-clicks c", nothing, "holds other topics or partition counts:"),
        ("--shard 1/2", nothing, "holds another shard:"),
        (
            "",
            |place| {
                let path = place.path("out/clicks.ndjson");
                let text = fs::read_to_string(place.path("out/impressions.ndjson")).unwrap();
                fs::write(place.path("out/impressions.ndjson"), text.replacen("\"1\"", "\"2\"", 1)).unwrap();
                assert!(path.exists());
            },
            "holds impressions.ndjson, which is not as its manifest says:",
        ),
        (
            "",
            |place| fs::remove_file(place.path("out/bid-responses.ndjson")).unwrap(),
            "holds bid-responses.ndjson, which is not as its manifest says:",
        ),
    ];
    for (option, damage, expected) in cases {
        let place = Place::new();
        place.succeed(WRITE);
        damage(&place);
        let before = place.content("out");
        // The last of two counts or seeds would be an error of its own.
        let base = if option.starts_with("--count") { "--sink files --out out --fast" } else { WRITE };
        let line = format!("{base} {option}");
        for line in [line.clone(), format!("check {line}")] {
            let (code, _, said) = place.run(&line);
            assert!(code == 2 && said.contains(expected) && said.contains("add --overwrite"), "{line}: {said}");
            assert_eq!(place.content("out"), before, "{line}");
        }
        place.succeed(&format!("check {line} --overwrite"));
        assert_eq!(place.content("out"), before, "check changes nothing");
        place.succeed(&format!("{line} --overwrite"));
        let elsewhere = Place::new();
        elsewhere.succeed(&line);
        assert_eq!(place.content("out"), elsewhere.content("out"), "{line}");
        assert!(place.succeed(&line).contains("nothing to do"), "{line}");
    }
}

#[test]
fn what_a_stopped_or_killed_run_left_is_replaced_when_that_is_asked_for() {
    for (signal, expected) in
        [("-INT", "holds a window that is not complete:"), ("-KILL", "holds files of a run that was killed:")]
    {
        let place = Place::new();
        place.interrupt("--sink files --out out --from epoch --speed 1 --count 300", signal);
        let (code, _, said) = place.run(WRITE);
        assert!(code == 2 && said.contains(expected) && said.contains("--overwrite"), "{signal}: {said}");
        place.succeed(&format!("{WRITE} --overwrite"));
        assert!(place.succeed(WRITE).contains("nothing to do"), "{signal}");
        assert_eq!(place.content("out").len(), 5, "{signal}");
    }
}

#[test]
fn nobody_elses_files_are_replaced() {
    let beside = "which no run wrote";
    let empty = "is not empty: give --out a folder that is new or empty";
    let cases: [(Damage, &str); 6] = [
        (|place| fs::write(place.path("out/notes.txt"), "mine").unwrap(), beside),
        (
            |place| {
                fs::remove_file(place.path("out/clicks.ndjson")).unwrap();
                fs::create_dir(place.path("out/clicks.ndjson")).unwrap();
            },
            beside,
        ),
        (|place| fs::remove_file(place.path("out/manifest.json")).unwrap(), empty),
        (|place| fs::write(place.path("out/manifest.json"), "{\"version\": 1}").unwrap(), empty),
        (
            |place| {
                // A manifest that names a file of another folder.
                let text = fs::read_to_string(place.path("out/manifest.json")).unwrap();
                let outside = text.replace("\"name\": \"clicks.ndjson\"", "\"name\": \"../precious.ndjson\"");
                fs::write(place.path("out/manifest.json"), outside).unwrap();
            },
            empty,
        ),
        (
            |place| {
                fs::remove_dir_all(place.path("out")).unwrap();
                place.succeed("answer-key --out out --count 10");
            },
            empty,
        ),
    ];
    for (index, (damage, expected)) in cases.into_iter().enumerate() {
        let place = Place::new();
        fs::write(place.path("precious.ndjson"), "precious").unwrap();
        place.succeed(WRITE);
        damage(&place);
        let before = place.content("out");
        for line in [WRITE.to_owned(), format!("{WRITE} --overwrite"), format!("check {WRITE} --overwrite")] {
            let (code, _, said) = place.run(&line);
            assert!(code == 2 && said.contains(expected), "case {index}: {line}: {said}");
            assert_eq!(place.content("out"), before, "case {index}: {line}");
        }
        assert_eq!(fs::read_to_string(place.path("precious.ndjson")).unwrap(), "precious");
    }
}

/// Stream options that are not the defaults, one of each kind.
const SPEC: &str =
    "--seed 7 --win-rate 50% --late 10%:2s --headers --key-by user --users 4k --topic-prefix mine --partitions 3";

#[test]
fn what_a_folder_was_written_with_is_the_default_of_commands_that_read_it() {
    let place = Place::new();
    place.succeed(&format!("{WRITE} --envelope {SPEC}"));
    let (code, said, _) = place.run("verify --files out");
    assert!(code == 0 && said.contains("all as they should be"), "{said}");
    // Said again in other words, it is no contradiction.
    let (code, said, error) = place.run(&format!(
        "verify --files out {}",
        SPEC.replace("10%:2s", "0.1:2000ms").replace("--headers", "--headers=true")
    ));
    assert!(code == 0 && said.contains("all as they should be"), "{said}{error}");

    place.succeed("answer-key --files out --out by-folder");
    place.succeed(&format!("answer-key --out by-options --count 300 {SPEC}"));
    assert_eq!(place.content("by-folder"), place.content("by-options"));
}

#[test]
fn an_option_against_a_folders_manifest_is_refused_and_both_are_named() {
    let place = Place::new();
    place.succeed(&format!("{WRITE} --envelope {SPEC}"));
    let cases = [
        ("--seed 42", "--seed 42 (command line) is not what out/manifest.json says, which is 7: omit it"),
        ("--win-rate 0.15", "--win-rate 0.15 (command line) is not what out/manifest.json says, which is 0.5:"),
        ("--late 0.1:3s", "--late 0.1:3s (command line) is not what out/manifest.json says, which is 0.1:2s:"),
        ("--orphans 0.1", "--orphans 0.1 (command line) is not what out/manifest.json says, which is 0:"),
        ("--headers=false", "--headers false (command line) is not what out/manifest.json says, which is true:"),
        ("--partitions 6", "--partitions 6 (command line) is not what out/manifest.json says, which is 3:"),
        ("--topic-prefix yours", "--topic-bid-requests yours-bid-requests (--topic-prefix, command line) is not what"),
        ("--topic-clicks clicks", "--topic-clicks clicks (command line) is not what"),
    ];
    for (option, expected) in cases {
        for line in [format!("verify --files out {option}"), format!("answer-key --files out --out key {option}")] {
            let (code, _, said) = place.run(&line);
            assert!(code == 2 && said.contains(expected), "{line}: {said}");
        }
    }
    let by_variable = ended(place.program("verify --files out").env("MDG_SEED", "42").output().unwrap());
    assert_eq!(by_variable.0, 2);
    assert!(
        by_variable.2.contains("--seed 42 (variable MDG_SEED) is not what out/manifest.json says"),
        "{by_variable:?}"
    );
    assert!(!place.path("key").exists());
}

#[test]
fn an_answer_key_is_of_a_folder_that_is_whole() {
    let place = Place::new();
    place.succeed(&format!("{WRITE} --shard 0/2"));
    let (code, _, said) = place.run("answer-key --files out --out key");
    assert!(code == 2 && said.contains("out/manifest.json is of one of several workers"), "{said}");
    let (code, _, said) = place.run("answer-key --files nowhere --out key");
    assert!(code == 2 && said.contains("nowhere/manifest.json does not exist"), "{said}");
    // Of a run with nothing to do it is the same as of one that wrote.
    place.succeed(&format!("{WRITE} --overwrite --answer-key first"));
    place.succeed(&format!("{WRITE} --answer-key second"));
    assert_eq!(place.content("first"), place.content("second"));
}

#[test]
fn overwrite_replaces_the_answer_key_of_the_folder_too() {
    let place = Place::new();
    let other = "--sink files --out out --fast --count 300 --answer-key key";
    place.succeed(&format!("{other} --seed 7"));
    let (old, files) = (place.content("key"), place.content("out"));
    // Without the option neither is touched.
    let (code, _, said) = place.run(other);
    assert!(code == 2 && said.contains("key is not empty"), "{said}");
    assert_eq!((place.content("key"), place.content("out")), (old.clone(), files));
    place.succeed(&format!("check {other} --overwrite"));
    assert_eq!(place.content("key"), old, "check changes nothing");
    place.succeed(&format!("{other} --overwrite"));
    let elsewhere = Place::new();
    elsewhere.succeed(other);
    let new = elsewhere.content("key");
    assert!(place.content("key") == new && new != old);
    assert_eq!(place.content("out"), elsewhere.content("out"));
    // A run that is stopped leaves no key of what it has replaced.
    fs::remove_dir_all(place.path("out")).unwrap();
    place.interrupt("--sink files --out out --from epoch --speed 1 --count 200 --answer-key key --overwrite", "-INT");
    assert_eq!(place.content("key"), BTreeMap::new());
    place.succeed(&format!("{other} --overwrite"));
    // One that was killed while it removed the key.
    fs::rename(place.path("key/manifest.json"), place.path("key/manifest.json.part")).unwrap();
    place.succeed(&format!("{other} --overwrite"));
    assert_eq!(place.content("key"), new);
    // Neither files beside a key nor another manifest are a key's.
    let foreign: [fn(&Path); 3] = [
        |key| fs::write(key.join("notes.txt"), "mine").unwrap(),
        |key| fs::write(key.join("join_mine.csv"), "mine").unwrap(),
        |key| fs::write(key.join("manifest.json"), "{}").unwrap(),
    ];
    for add in foreign {
        let place = Place::new();
        place.succeed(&format!("{other} --seed 7"));
        add(&place.path("key"));
        let before = (place.content("key"), place.content("out"));
        let (code, _, said) = place.run(&format!("{other} --overwrite"));
        assert!(code == 2 && said.contains("key is not empty"), "{said}");
        assert_eq!((place.content("key"), place.content("out")), before);
    }
}

#[test]
fn without_a_start_files_and_standard_output_are_constants() {
    let place = Place::new();
    for sink in ["--sink stdout", "--sink stdout --fast"] {
        let (code, data, said) = place.run(&format!("{sink} --count 12"));
        let (_, again, _) = place.run(&format!("{sink} --count 12"));
        assert!(code == 0 && !data.is_empty() && data == again, "{sink}: {said}");
        assert!(said.contains("arriving 2026-01-01T00:00:00.082Z"), "{sink}: {said}");
    }
    place.succeed("--sink files --out paced --count 12");
    place.succeed("--sink files --out fast --count 12 --fast");
    assert_eq!(place.content("paced"), place.content("fast"));
    let live = place.succeed("--sink stdout --from now --count 3");
    assert!(!live.contains("arriving 2026-01-01"), "{live}");
}

#[test]
fn words_that_people_type_are_understood() {
    let place = Place::new();
    let (_, data, _) = place.run("--sink stdout --fast --count 1k --from 2026-01-02 --late 15%");
    let (_, same, _) = place.run("--sink stdout --fast -n 1000 --from epoch+24h --late 0.15:1s -s 42");
    assert!(data == same && data.lines().count() > 1_000);
    let folder = place.succeed("--sink files -o out --fast -n 20 --topic-prefix mine");
    assert!(folder.contains("verify --files out --topic-prefix mine --from epoch --count 20"), "{folder}");
    assert!(place.path("out/mine-clicks.ndjson").exists());
    let backfill =
        place.succeed("--sink null --from now-2s --to now+1s --events-per-second 20 -q --report-file report.json");
    assert_eq!(backfill, "");
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path("report.json")).unwrap()).unwrap();
    let auctions = report["stages"][0]["records"].as_u64().unwrap();
    assert!((55..=65).contains(&auctions), "three seconds of 20: {report}");
    for (line, expected) in [
        ("verify --files out --from now-7d", "--from now is a time that nobody knows afterwards"),
        ("--sink null --from 2026-02-01T00:00:00", "it names no time zone: add Z for UTC"),
        ("--sink null --from 1767225600", "a bare number may be seconds or milliseconds"),
        ("--sink null --count 10m", "k, M and G stand for thousands, millions and billions"),
        ("--sink null --late 15", "give 0 to 1, or a percentage such as 15%"),
    ] {
        let (code, _, said) = place.run(line);
        assert!(code == 2 && said.contains(expected), "{line}: {said}");
    }
}

#[test]
fn wrong_words_are_answered_with_the_right_ones() {
    let place = Place::new();
    for (line, expected) in [
        ("--rate 50", "'--events-per-second'"),
        ("--eps=50", "'--events-per-second'"),
        ("run --limit 5", "'--count'"),
        ("verify --brokers b:1", "'--bootstrap-servers'"),
        ("--topic t", "'--topic-prefix'"),
        ("--start now", "'--from'"),
        ("answer-key --output key", "'--out'"),
        ("--json", "reports are JSON by --report json"),
        ("--verbose", "RUST_LOG=debug"),
        ("--dry-run", "the command check says"),
        ("--coutn 5", "'--count'"),
    ] {
        let (code, _, said) = place.run(line);
        assert!(code == 2 && said.contains(expected) && said.contains("tip: "), "{line}: {said}");
    }
    // A command is not told of what it does not take.
    let (_, _, said) = place.run("show 7 --limit 5");
    assert!(!said.contains("--count"), "{said}");
    fs::write(place.path("mdg.toml"), "rate = 5\n").unwrap();
    let (code, _, said) = place.run("--config mdg.toml --sink null");
    assert!(code == 2 && said.contains("did you mean `events-per-second`?"), "{said}");
}

#[test]
fn reports_for_programs_have_one_place() {
    let place = Place::new();
    place.succeed(WRITE);
    let report = |text: &str| -> serde_json::Value { serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")) };
    for line in [
        "--sink null --fast --count 10",
        "--sink files --out other --fast --count 10",
        "--sink files --out other --fast --count 10",
        "--bootstrap-servers embedded --fast --count 10",
        "check --sink null --count 10 --fast",
        "verify --files out",
        "answer-key --files out --out key",
        "show 7",
    ] {
        // The same folder is not written twice.
        let _ = fs::remove_dir_all(place.path("key"));
        let (code, data, said) = place.run(&format!("{line} --report json"));
        assert!(code == 0 && report(&data).is_object(), "{line}: {said}");
        assert!(!said.contains('{'), "{line}: {said}");
        let _ = fs::remove_dir_all(place.path("key"));
        let (code, data, said) = place.run(&format!("{line} --report json --report-file report.json"));
        assert!(code == 0 && data.is_empty() && !said.contains('{'), "{line}: {data}{said}");
        assert!(report(&fs::read_to_string(place.path("report.json")).unwrap()).is_object(), "{line}");
    }
    // Data has standard output for itself.
    let (_, data, said) = place.run("--sink stdout --fast --count 10 --report json");
    assert!(data.lines().all(|line| line.starts_with("{\"topic\":")) && report(&said)["records"] == 18, "{said}");
    let (_, with_file, said) = place.run("--sink stdout --fast --count 10 --quiet --report-file report.json");
    assert_eq!((with_file, said.as_str()), (data, ""));
    // A file that cannot be written is known before the first record.
    let (code, _, said) = place.run("--sink files --out not --fast --count 10 --report-file nowhere/report.json");
    assert!(code == 3 && said.contains("cannot write the report to nowhere/report.json"), "{said}");
    assert!(!place.path("not").exists());
}

#[test]
fn the_embedded_broker_is_reached_at_a_port_of_ones_choice_and_says_so() {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for report in ["", " --report json"] {
        let (place, port) = (Place::new(), free());
        let line = format!("-b embedded --embedded-port {port} --fast -n 100 --hold --quiet{report}");
        let mut held = place.program(&line).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut out = std::io::BufReader::new(held.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut said).unwrap();
        assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
        if !report.is_empty() {
            let report: serde_json::Value = serde_json::from_str(&said).unwrap();
            assert_eq!(report["embedded_broker"], format!("127.0.0.1:{port}"));
        }
        // An outside client gets in by that port and reads all.
        let (code, verdict, error) = place.run(&format!("verify -b 127.0.0.1:{port} -n 100"));
        assert!(code == 0 && verdict.contains("all as they should be"), "{verdict}{error}");
        Command::new("kill").args(["-INT", &held.id().to_string()]).status().unwrap();
        assert!(held.wait().unwrap().success());
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let place = Place::new();
    let (code, _, said) = place.run(&format!("--bootstrap-servers embedded --embedded-port {port} --fast -n 1"));
    assert!(code == 3 && said.contains("give --embedded-port another port"), "{said}");
}

/// Whatever the run does when the signal comes: a window that is acknowledged is complete, whether or not it was read back.
#[test]
fn a_signal_while_an_embedded_run_is_read_back_ends_a_complete_window() {
    for after_ms in [0, 5, 20, 80, 300] {
        let place = Place::new();
        let line = "-b embedded --fast -n 4000 --hold --report json --report-file report.json";
        let held = place.program(line).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !fs::read(place.path("report.json")).is_ok_and(|report| !report.is_empty()) {
            assert!(begun.elapsed() < limit(20), "no report");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(after_ms));
        Command::new("kill").args(["-INT", &held.id().to_string()]).status().unwrap();
        let ended = held.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && said.contains("read back") && !said.contains("error"), "{said}");
    }
}

#[test]
fn an_auction_is_shown_by_any_id_of_its_events() {
    let place = Place::new();
    let (_, whole, _) = place.run("show 294");
    let (_, data, _) = place.run("show 294 --report json");
    let shown: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(shown["ordinal"], 294);
    let records = shown["records"].as_array().unwrap();
    assert_eq!(records.len(), 4);
    for record in records {
        let (id, time) = (record["record"]["key"].as_str().unwrap(), record["record"]["timestamp"].as_i64().unwrap());
        let event = record["record"]["value"]["event_timestamp"].as_str().unwrap();
        for line in
            [format!("show {id} --within 1k"), format!("show {id} --at {time}"), format!("show {id} --at {event}")]
        {
            let (code, same, said) = place.run(&line);
            assert!(code == 0 && same == whole, "{line}: {said}");
        }
    }
    // What is shown is what standard output has.
    let (_, lines, _) = place.run("--sink stdout --fast --count 295");
    for record in records {
        assert!(lines.lines().any(|line| serde_json::from_str::<serde_json::Value>(line).unwrap() == record["record"]));
    }
    let id = records[3]["record"]["key"].as_str().unwrap();
    let (code, _, said) = place.run(&format!("show {id} --within 294"));
    assert!(code == 2 && said.contains("of the 294 auctions from 0") && said.contains("--at"), "{said}");
    let (code, _, said) = place.run(&format!("show {id} --seed 7 --at 2026-01-01T00:00:40Z"));
    assert!(code == 2 && said.contains("which arrive up to 2026-01-01T00:00:40.000Z"), "{said}");
    assert_eq!(place.run("show 7 --within 5").0, 2);
}

#[test]
fn a_window_without_clicks_says_which_has_some() {
    let place = Place::new();
    let said = place.succeed("--sink files --out out --fast --count 20");
    let count = said.split("no clicks in this window, which engines may fail on: --count ").nth(1).unwrap();
    let count: u64 = count.split(' ').next().unwrap().parse().unwrap();
    for (count, is_empty) in [(count - 1, true), (count, false)] {
        let (_, data, _) =
            place.run(&format!("--sink files --out out --overwrite --fast --count {count} --report json"));
        let report: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(report["stages"][3]["records"] == 0, is_empty, "{count}: {report}");
        assert_eq!(report["empty_stages"][0]["count"] == count + 1, is_empty, "{count}: {report}");
    }
    // Not where none was asked for.
    let never = place.succeed("--sink files --out never --fast --count 20 --click-rate 0");
    assert!(!never.contains("no clicks"), "{never}");
}

#[test]
fn every_engine_has_its_tables() {
    let place = Place::new();
    for event in ["request", "response", "impression", "click"] {
        for (engine, time) in [
            ("duckdb", "\"event_timestamp\" TIMESTAMPTZ NOT NULL"),
            ("flink", "`event_timestamp` TIMESTAMP_LTZ(3) NOT NULL"),
            ("clickhouse", "`event_timestamp` DateTime64(3, 'UTC')"),
            ("spark", "`event_timestamp` TIMESTAMP NOT NULL"),
        ] {
            let (code, ddl, _) = place.run(&format!("schema {event} --format ddl-{engine}"));
            assert!(code == 0 && ddl.contains("CREATE TABLE ") && ddl.contains(time), "{engine}: {ddl}");
            assert!(event != "impression" || ddl.contains(" DECIMAL(12, 2)"), "{engine}: {ddl}");
        }
    }
    // The one field that may be absent.
    let (_, ddl, _) = place.run("schema response --format ddl-clickhouse");
    assert!(ddl.contains("`dealid` Nullable(String)") && ddl.matches("Nullable").count() == 1, "{ddl}");
}
