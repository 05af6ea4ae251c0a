//! A folder that `--sink files` writes: repeated, replaced, left alone, and read back by what its manifest says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "cli")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

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
        ("--envelope", nothing, "holds another form of lines (--envelope):"),
        ("--partitions 7", nothing, "holds other topics or partition counts:"),
        ("--topic-clicks c", nothing, "holds other topics or partition counts:"),
        ("--shard 1/2", nothing, "holds another --shard:"),
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
        let mut child = place
            .program("--sink files --out out --from epoch --speed 1 --count 300")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while fs::metadata(place.path("out/bid-requests.ndjson")).map_or(0, |file| file.len()) == 0 {
            sleep(Duration::from_millis(20));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        child.wait().unwrap();
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
