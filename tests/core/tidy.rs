//! Rules of the house that a compiler does not know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::imports::{File, Sources, files_in};

mod imports;

/// The rooms, each of which uses only those before it, and itself.
const ROOMS: &[&str] = &[
    "generator",
    "metrics",
    "log",
    "files",
    "kafka",
    "sink",
    "source",
    "resume",
    "verify",
    "answer_key",
    "player",
    "cli",
];
/// The room that is pure: no I/O, no wall clock, no floats, no threads.
const PURE: &str = "generator";
/// It alone there has threads.
const PARALLEL: &str = "generator/stream/parallel.rs";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Sources {
    Sources::read(&root().join("src"))
}

/// A file without its unit tests and comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap() })
        .collect::<Vec<_>>()
        .join("\n")
}

fn floor(file: &File) -> usize {
    let room = ROOMS.iter().position(|room| *room == file.room());
    room.unwrap_or_else(|| panic!("{}: no room of the house", file.path.display()))
}

#[test]
fn each_room_uses_only_those_below_it() {
    let sources = sources();
    for file in sources.files() {
        for (other, names) in sources.uses(file) {
            let used = sources.files().find(|file| file.path == other).unwrap();
            let (from, to) = (file.path.display(), other.display());
            assert!(floor(used) <= floor(file), "{from} uses {names:?} of {to}, which lies above it");
        }
    }
}

#[test]
fn files_use_one_another_in_no_circle() {
    let sources = sources();
    let circles = sources.circles();
    let mut told = Vec::new();
    for circle in &circles {
        for file in sources.files().filter(|file| circle.contains(&&*file.path)) {
            for (other, names) in sources.uses(file).into_iter().filter(|(other, _)| circle.contains(other)) {
                told.push(format!("{} -> {}: {names:?}", file.path.display(), other.display()));
            }
        }
    }
    assert!(told.is_empty(), "circles:\n{}", told.join("\n"));
}

#[test]
fn grouped_and_relative_imports_are_followed_to_where_a_name_is_defined() {
    let sources = sources();
    let uses = |path: &str| -> BTreeSet<(PathBuf, String)> {
        let file = sources.files().find(|file| file.path == Path::new(path)).unwrap();
        let pairs = |(other, names): (&Path, BTreeSet<String>)| {
            names.into_iter().map(move |name| (other.to_owned(), name)).collect::<Vec<_>>()
        };
        sources.uses(file).into_iter().flat_map(pairs).collect()
    };
    let has = |from: &str, to: &str, name: &str| uses(from).contains(&(PathBuf::from(to), name.to_owned()));
    // `use super::{Assignment, Position};`, which the parent re-exports.
    assert!(has("generator/stream/records.rs", "generator/stream/position.rs", "Position"));
    // `use crate::generator::spec::{Layout, Stage};`, likewise.
    assert!(has("generator/stream/assignment.rs", "generator/spec/stage.rs", "Stage"));
    // `delays::emit_lag_ms_max`, by a path.
    assert!(has("generator/spec.rs", "generator/spec/delays.rs", "emit_lag_ms_max"));
}

/// Types whose methods stand in two files, each for a reason.
const TWO_FILES: [(&str, &str); 0] = [];

#[test]
fn the_methods_of_a_type_stand_in_one_file() {
    for (name, files) in sources().implemented_in() {
        let allowed = TWO_FILES.iter().any(|(allowed, _)| *allowed == name);
        assert!(files.len() <= 1 + usize::from(allowed), "`{name}` has methods in {files:?}");
    }
}

/// Functions longer than [`LINES`], each for a reason.
const LONG: [&str; 0] = [];
/// A function that is longer asks for a better shape.
const LINES: usize = 60;

#[test]
fn functions_are_short() {
    let name = regex::Regex::new(r"^( *)(?:pub(?:\([^)]*\))? )?(?:const |async )*fn (\w+)").unwrap();
    for file in sources().files() {
        let text = code(&file.text);
        let lines: Vec<&str> = text.lines().collect();
        for (from, line) in lines.iter().enumerate() {
            let Some(found) = name.captures(line) else { continue };
            let end = format!("{}}}", &found[1]);
            let length = 1 + lines[from..].iter().take_while(|line| **line != end).count();
            let is_short = length <= LINES || line.ends_with('}') || line.ends_with(';');
            assert!(is_short || LONG.contains(&&found[2]), "{}:{}: {length} lines", file.path.display(), from + 1);
        }
    }
}

#[test]
fn the_pure_room_has_no_clock_no_float_and_no_outside() {
    let banned = [
        "f32",
        "f64",
        "std::fs",
        "std::net::Tcp",
        "std::thread",
        "std::time",
        "Instant",
        "rdkafka",
        "tokio",
        "clap::",
        "HashMap",
        "std::env",
    ];
    for file in sources().files().filter(|file| file.room() == PURE) {
        for (number, line) in code(&file.text).lines().enumerate() {
            // Schemas say `number` by naming f64; no value of that type exists.
            let line = line.replace("schemars(with = \"f64\"", "");
            for word in banned {
                let allowed = word == "std::thread" && file.path == Path::new(PARALLEL);
                assert!(
                    !line.contains(word) || allowed,
                    "{}:{}: `{word}` in the pure room",
                    file.path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn only_one_file_names_the_rng() {
    for file in sources().files().filter(|file| file.path != Path::new("generator/random.rs")) {
        assert!(!code(&file.text).contains("rand_"), "{}: take a lane from `random`", file.path.display());
    }
}

/// A library's error may end in somebody else's log: what to type is said by `cli`.
#[cfg(feature = "cli")]
#[test]
fn only_the_command_line_names_its_options() {
    let root = mock_data_gen::cli::command();
    let commands = root.get_subcommands().chain([&root]);
    let longs: BTreeSet<&str> =
        commands.flat_map(clap::Command::get_arguments).filter_map(clap::Arg::get_long).collect();
    assert!(longs.contains("seed") && longs.contains("fingerprint"), "{longs:?}");
    let named =
        regex::Regex::new(r"(?:^|[^\w-])--([a-z][a-z-]*[a-z])|(?:^|[ (`])(-X) |\b(MDG_[A-Z_]*)|\b(clap)::").unwrap();
    for file in sources().files().filter(|file| file.room() != "cli") {
        for (line, number) in file.text.lines().zip(1..) {
            for found in named.captures_iter(line) {
                let is_ours = found.get(1).is_none_or(|long| longs.contains(long.as_str()));
                assert!(
                    !is_ours,
                    "{}:{number}: `{}` is the command line's to say",
                    file.path.display(),
                    found[0].trim()
                );
            }
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!(", "unimplemented!(", concat!("FIX", "ME"), concat!("TO", "DO:")];
    for file in sources().files() {
        for mark in marks {
            assert!(!file.text.contains(mark), "{}: {mark}", file.path.display());
        }
    }
}

/// The features, each of which holds those before it, and what it must not bring.
const LEVELS: [(&str, &[&str]); 3] = [
    ("", &["rdkafka", "tokio", "tracing", "clap", "schemars", "indicatif", "toml"]),
    ("verify", &["rdkafka", "tokio", "tracing", "clap", "schemars", "indicatif", "toml"]),
    ("kafka", &["clap", "schemars", "indicatif", "toml", "hyper", "tracing-subscriber"]),
];

#[test]
fn each_level_of_features_brings_only_what_it_needs() {
    for (features, banned) in LEVELS {
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "-e", "normal", "--offline", "--prefix", "none", "--manifest-path"])
            .arg(root().join("Cargo.toml"))
            .args(["--no-default-features", "--features", features])
            .output()
            .unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        assert!(tree.contains("rand_chacha"), "cargo tree printed nothing useful:\n{tree}");
        for heavy in banned {
            let is_there = tree.lines().any(|line| line.split(' ').next() == Some(heavy));
            assert!(!is_there, "{heavy} comes with the features `{features}`:\n{tree}");
        }
    }
}

/// What stands in `snapshots/stream-v1` may only be appended to: each file begins with these bytes.
const FROZEN: [(&str, usize, &str); 6] = [
    ("first-records-seed-42.ndjson", 166_811, "183c7475caf25ca0d4c638d7d0cdac40070175d8f350a18ce40b07b5c1273d6a"),
    ("first-records-seed-0.ndjson", 169_188, "ce4339168304ba112bcd42dd8f09eeb2295cb48bb96009c0b2d7b79a7a05b89a"),
    (
        "first-records-seed-18446744073709551615.ndjson",
        167_578,
        "2ea6a2e90d6f3fe026c9b4e2850b562e5bb83b9ed2acf8bfbcda71235228f0a9",
    ),
    ("first-records-faults.ndjson", 165_046, "dfa4f3254f177fb308d4ce97b788e42c8c942eecfe4a07c8e3913506ec2de188"),
    ("fingerprints.ndjson", 11_712, "d6b623e1e8dacd028bfdd7f1c1d338edb382c5f156ed13b00437904b36c229d8"),
    ("fingerprints.ndjson", 19_493, "6a5538948629d60f1d137daa616f5e6d0b26d0f9c42ff5db51118ac8bcc5c5d1"),
];

#[test]
fn golden_files_are_only_appended_to() {
    for (name, length, sha256) in FROZEN {
        let bytes = fs::read(root().join("snapshots/stream-v1").join(name)).unwrap();
        assert!(bytes.len() >= length, "{name} lost bytes");
        assert_eq!(mock_data_gen::generator::digest::Digest::of(&bytes[..length]).to_string(), sha256, "{name}");
    }
}

#[test]
fn the_lock_file_names_only_the_public_registry() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for line in lock.lines().filter(|line| line.starts_with("source = ")) {
        assert_eq!(line, "source = \"registry+https://github.com/rust-lang/crates.io-index\"");
    }
}

/// Limits that only a quiet machine keeps make tests fail on a busy one.
#[test]
fn tests_bound_time_by_their_patience_only() {
    let bound = regex::Regex::new(r"\.elapsed\(\)[^<>,;]*<=?([^,;]*\d)").unwrap();
    let own = |line: &str| bound.captures(line).is_some_and(|found| !found[1].contains("limit("));
    assert!(own("begin.elapsed() < Duration::from_secs(9)") && own("begin.elapsed().as_secs() <= 9"));
    assert!(!own("assert!(begin.elapsed() < limit(9), \"{:?}\", begin.elapsed());"));
    for path in files_in(&root().join("tests"), ".rs").into_iter().filter(|path| !path.ends_with("tidy.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let found = text.lines().zip(1..).find(|(line, _)| own(line));
        assert_eq!(found, None, "{}: take the limit from tests/support/patience.rs", path.display());
    }
}
