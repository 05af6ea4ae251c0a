//! The README and the guide: each console block is run and must print what it shows; each option has a row, each link a target.
//!
//! Commands begin with `$ ` and are run by bash, with the program on the path. The blocks of a document run in order, in a folder of its
//! own that has the names of a clone of this repository, as a reader runs them. A command that fails must show its error. After
//! ` ```console ` may stand what the block needs: `python`, `kafka` (a real one: make test-kafka), or `test` for the command that runs this.
//! `docs/guide/engines.md` is run by `tests/engines/guide` instead.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

/// The README is read by people who have not decided yet: what is longer belongs to the guide.
const README_LINES_MAX: usize = 220;

struct Document {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

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

fn files_of_git() -> Vec<String> {
    let listed = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let listed: Vec<String> = String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
    assert!(listed.iter().any(|path| path == "README.md"), "git lists no files");
    listed
}

/// All Markdown files.
fn documents() -> Vec<Document> {
    let paths = files_of_git().into_iter().map(PathBuf::from);
    let is_markdown = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    paths
        .filter(|path| is_markdown(path) && root().join(path).exists())
        .map(|path| Document { text: fs::read_to_string(root().join(&path)).unwrap(), path })
        .collect()
}

/// Those whose console blocks are run here, with their blocks.
fn documents_with_blocks() -> Vec<(Document, Vec<Block>)> {
    documents()
        .into_iter()
        .filter(|document| document.path != Path::new("docs/guide/engines.md"))
        .map(|document| {
            let blocks = blocks(&document);
            (document, blocks)
        })
        .filter(|(_, blocks)| !blocks.is_empty())
        .collect()
}

fn blocks(document: &Document) -> Vec<Block> {
    let mut lines = document.text.lines().zip(1..);
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
    let place = Regex::new("resumes +after .*").unwrap();
    let text = place.replace_all(&text, "resumes after [records]");
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
    for path in files_of_git().iter().map(|path| folder.path().join(path)).filter(|path| !path.exists()) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

/// Runs the blocks of each document that has some that need this, and those beside them that need nothing.
fn run(needed: &str) {
    let mut documents = documents_with_blocks();
    documents.retain(|(_, blocks)| blocks.iter().any(|block| block.needs == needed));
    assert!(!documents.is_empty(), "no document has a block that needs `{needed}`");
    let mut failures = Vec::new();
    for (document, blocks) in &documents {
        let folder = clone();
        // With something else to test, what `make` does is tested elsewhere.
        let is_chosen = |step: &Step| needed.is_empty() || !step.command.starts_with("make ");
        let steps = blocks
            .iter()
            .filter(|block| block.needs.is_empty() || block.needs == needed)
            .flat_map(|block| block.steps.iter().filter(|&step| is_chosen(step)).map(move |step| (block, step)));
        for (block, step) in steps {
            if let Err(failure) = run_step(step, folder.path()) {
                failures.push(format!("{}:{}: $ {}\n{failure}", document.path.display(), block.line, step.command));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

fn run_step(step: &Step, folder: &Path) -> Result<(), String> {
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
    if !matches(&printed, &shown) {
        return Err(format!("prints\n{printed}\nand the document shows\n{shown}"));
    }
    let shows_its_error = step.output.to_lowercase().contains("error");
    if !output.status.success() && !shows_its_error {
        return Err(format!("fails, and the document does not show how: {}", output.status));
    }
    Ok(())
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= README_LINES_MAX, "README.md has {lines} lines: move something to docs/guide");
}

#[test]
fn every_option_stands_in_a_table_with_its_variable() {
    let guide: Vec<Document> =
        documents().into_iter().filter(|document| document.path.starts_with("docs/guide")).collect();
    let rows: Vec<&str> =
        guide.iter().flat_map(|document| document.text.lines()).filter(|line| line.starts_with("| `-")).collect();
    let command = mock_data_gen::cli::command();
    let commands = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let options: Vec<_> = commands.filter_map(|arg| Some((arg.get_long()?, arg.get_env()?))).collect();
    assert!(options.len() > 40, "{options:?}");
    for (long, variable) in options {
        // Either with what it is given, such as `--files DIR`.
        let is_named = |row: &&&str| row.contains(&format!("`--{long}`")) || row.contains(&format!("`--{long} "));
        let variable = format!("`{}`", variable.display());
        let stands = rows.iter().filter(is_named).any(|row| row.contains(&variable));
        assert!(stands, "docs/guide has no row of --{long} with {variable}");
    }
}

#[test]
fn every_block_is_of_a_known_kind() {
    for (document, blocks) in documents_with_blocks() {
        for block in blocks {
            let at = format!("{}:{}", document.path.display(), block.line);
            assert!(["", "python", "kafka", "test"].contains(&block.needs.as_str()), "{at}");
            assert!(!block.steps.is_empty(), "{at}");
        }
    }
}

#[test]
fn no_command_hides_what_it_says() {
    for (document, blocks) in documents_with_blocks() {
        for block in blocks {
            for step in &block.steps {
                let hides = step.command.contains("2>/dev/null") || step.command.contains("|| true");
                assert!(!hides, "{}:{}: $ {}", document.path.display(), block.line, step.command);
            }
        }
    }
}

/// The anchor that a heading has on code hosts: lower case, words joined by `-`, nothing but letters, digits, `-` and `_`.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines of a document that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

#[test]
fn every_link_within_the_repository_has_a_target() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut links = 0;
    for document in documents() {
        let folder = root().join(document.path.parent().unwrap());
        for target in prose(&document.text).flat_map(|line| link.captures_iter(line)).map(|found| found[1].to_owned()) {
            if target.contains("://") {
                continue;
            }
            links += 1;
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if file.is_empty() { root().join(&document.path) } else { folder.join(file) };
            let at = format!("{}: {target}", document.path.display());
            assert!(path.exists(), "{at} leads nowhere");
            if !heading.is_empty() {
                let text = fs::read_to_string(path).unwrap();
                let mut headings = prose(&text).filter(|line| line.starts_with('#'));
                let stands = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
                assert!(stands, "{at}: no such heading");
            }
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn blocks_that_need_nothing_print_what_they_show() {
    run("");
}

#[test]
#[ignore = "needs Python 3: make test-oracles"]
fn python_blocks_print_what_they_show() {
    run("python");
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn kafka_blocks_print_what_they_show() {
    run("kafka");
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
