//! Every console block of the README is run, and must print what it shows.
//!
//! Commands begin with `$ ` and run by bash, with the program on the path, all in one folder and in order, as a reader runs them. The
//! folder has the names that a clone of this repository has. A command that fails must show its error. After ` ```console ` may stand what
//! the block needs: `python`, `kafka` (a real one: make test-kafka), or `test` for the command that runs this.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

struct Block {
    line: usize,
    needs: String,
    steps: Vec<Step>,
}

#[derive(Default)]
struct Step {
    command: String,
    output: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn blocks() -> Vec<Block> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut lines = readme.lines().zip(1..);
    let mut blocks = Vec::new();
    while let Some((open, line)) = lines.next() {
        let Some(needs) = open.strip_prefix("```console") else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(text, _)| text).take_while(|text| *text != "```").collect();
        blocks.push(Block { line, needs: needs.trim().to_owned(), steps: steps(&body) });
    }
    blocks
}

fn steps(body: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = body.iter();
    while let Some(line) = lines.next() {
        if let Some(command) = line.strip_prefix("$ ") {
            let mut command = command.to_owned();
            if command.contains("<<'END'") {
                for line in lines.by_ref() {
                    command.push('\n');
                    command.push_str(line);
                    if *line == "END" {
                        break;
                    }
                }
            }
            steps.push(Step { command, output: String::new() });
        } else {
            let step = steps.last_mut().expect("a block begins with a command");
            step.output.push_str(line);
            step.output.push('\n');
        }
    }
    steps
}

/// What differs from run to run, made equal on both sides.
fn without_chance(text: &str) -> String {
    let speed = Regex::new("done in +[0-9.]+ s, [0-9,]+ records/s").unwrap();
    let address = Regex::new("(127.0.0.1|localhost):[0-9]+").unwrap();
    let text = speed.replace_all(text, "done in [seconds], [speed]");
    let text = address.replace_all(&text, "[address]");
    let place = Regex::new("going on +behind .*").unwrap();
    let text = place.replace_all(&text, "going on behind [records]");
    Regex::new("late by .*").unwrap().replace_all(&text, "late by [times]").into_owned()
}

/// Whether the text is what is shown, where a line `...` stands for any lines.
fn matches(printed: &str, shown: &str) -> bool {
    let pattern: String = shown
        .split_inclusive('\n')
        .map(|line| match line {
            "...\n" => "(?s:.*)".to_owned(),
            line => regex::escape(line),
        })
        .collect();
    Regex::new(&format!("^{pattern}$")).unwrap().is_match(printed)
}

/// A folder in which nothing of this repository can be harmed, with everything of its top level in the way.
fn clone() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("README.md"), "git lists no files");
    for path in listed.lines().map(|path| folder.path().join(path)).filter(|path| !path.exists()) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

/// Runs all blocks that need nothing, or one of these, in one folder.
fn run(needs: &[&str]) {
    let mut blocks = blocks();
    for needed in needs {
        assert!(blocks.iter().any(|block| block.needs == *needed), "README.md has no block that needs `{needed}`");
    }
    blocks.retain(|block| needs.contains(&block.needs.as_str()));
    let folder = clone();
    for block in &blocks {
        for step in &block.steps {
            // With something else to test, what `make` does is tested elsewhere.
            if needs.len() == 1 || !step.command.starts_with("make ") {
                run_step(block, step, folder.path());
            }
        }
    }
}

fn run_step(block: &Block, step: &Step, folder: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    let path = format!("{}:{}", program.parent().unwrap().display(), env::var("PATH").unwrap());
    let command = match env::var("KAFKA_BOOTSTRAP") {
        Ok(address) => step.command.replace("localhost:29092", &address),
        Err(_) => step.command.clone(),
    };
    // `make` works in the project.
    let folder = if command.starts_with("make ") { root() } else { folder.to_owned() };
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", &format!("exec 2>&1\n{command}")])
        .current_dir(folder)
        .env("PATH", path)
        // Run by `make test`, a second make would take itself for a part of the first, and say which folder it is in.
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let printed = without_chance(&String::from_utf8(output.stdout).unwrap());
    let shown = without_chance(&step.output);
    let at = format!("README.md:{}: $ {}", block.line, step.command);
    assert!(matches(&printed, &shown), "{at}\nprints\n{printed}\nand the README shows\n{shown}");
    let shows_its_error = step.output.to_lowercase().contains("error");
    assert!(
        output.status.success() || shows_its_error,
        "{at}\nfails, and the README does not show how: {}",
        output.status
    );
}

#[test]
fn every_option_stands_in_a_table_with_its_variable() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `-")).collect();
    let command = mock_data_gen::cli::command();
    let commands = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let options: Vec<_> = commands.filter_map(|arg| Some((arg.get_long()?, arg.get_env()?))).collect();
    assert!(options.len() > 40, "{options:?}");
    for (long, variable) in options {
        // Either with what it is given, such as `--files DIR`.
        let is_named = |row: &&&str| row.contains(&format!("`--{long}`")) || row.contains(&format!("`--{long} "));
        let variable = format!("`{}`", variable.display());
        let stands = rows.iter().filter(is_named).any(|row| row.contains(&variable));
        assert!(stands, "README.md has no row of --{long} with {variable}");
    }
}

#[test]
fn every_block_is_of_a_known_kind() {
    for block in blocks() {
        assert!(["", "python", "kafka", "test"].contains(&block.needs.as_str()), "README.md:{}", block.line);
        assert!(!block.steps.is_empty(), "README.md:{}", block.line);
    }
}

#[test]
fn no_command_hides_what_it_says() {
    for block in blocks() {
        for step in &block.steps {
            let hides = step.command.contains("2>/dev/null") || step.command.contains("|| true");
            assert!(!hides, "README.md:{}: $ {}", block.line, step.command);
        }
    }
}

#[test]
fn blocks_that_need_nothing_print_what_they_show() {
    run(&[""]);
}

#[test]
#[ignore = "needs Python 3: make test-oracles"]
fn python_blocks_print_what_they_show() {
    run(&["", "python"]);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn kafka_blocks_print_what_they_show() {
    run(&["", "kafka"]);
}

/// Where the broker of `make kafka` says that it is. It ends with the test.
fn address_of_make_kafka() -> String {
    let mut broker =
        Command::new("tests/kafka/broker").arg("run").current_dir(root()).stdout(Stdio::piped()).spawn().unwrap();
    let said = BufReader::new(broker.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(Command::new("kill").args(["-INT", &broker.id().to_string()]).status().unwrap().success());
    assert!(broker.wait().unwrap().success());
    said.split_once(" at ").unwrap().1.split(';').next().unwrap().to_owned()
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn make_kafka_is_at_the_address_that_the_readme_uses_if_that_is_free() {
    let taken = TcpListener::bind("127.0.0.1:29092");
    let other = address_of_make_kafka();
    assert_ne!(other, "127.0.0.1:29092");
    // Somebody else may have it.
    if taken.is_ok() {
        drop(taken);
        assert_eq!(address_of_make_kafka(), "127.0.0.1:29092");
    }
}
