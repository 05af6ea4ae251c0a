//! Rules of the house that a compiler does not know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The modules in the order in which data flows: a module uses those before it, and itself.
const ORDER: [&str; 23] = [
    "digest",
    "timestamp",
    "spec",
    "draw",
    "ids",
    "clock",
    "catalog",
    "auction",
    "openrtb",
    "encode",
    "record",
    "fingerprint",
    "stream",
    "ahead",
    "metrics",
    "pace",
    "sink",
    "source",
    "tail",
    "run",
    "report",
    "verify",
    "answer_key",
];
/// Modules up to this one are pure: no I/O, no wall clock, no floats, no threads.
const LAST_PURE: &str = "stream";
/// Uses that point up the list, each for a reason.
const ALLOWED_UP: [(&str, &str); 1] = [
    // The largest lag follows from the plan's delays; the spec is where users ask for it.
    ("spec", "auction"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Source files with the module of the house plan that they belong to.
fn sources() -> Vec<(String, PathBuf, String)> {
    let src = root().join("src");
    let module = |path: &Path| {
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative.iter().next().unwrap().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    };
    files(&src, ".rs")
        .into_iter()
        .map(|path| (module(&path), path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// A file without its unit tests and comments.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    code.lines()
        .map(|line| if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap() })
        .collect::<Vec<_>>()
        .join("\n")
}

fn position(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

#[test]
fn data_flows_one_way() {
    for (module, path, text) in sources() {
        let Some(own) = position(&module) else { continue };
        for used in code(&text).split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let up = position(&used).is_none_or(|used| used > own);
            let allowed = ALLOWED_UP.contains(&(module.as_str(), used.as_str()));
            assert!(!up || allowed, "{}: `{module}` uses `{used}`, which comes after it", path.display());
        }
    }
}

#[test]
fn the_pure_modules_have_no_clock_no_float_and_no_outside() {
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
    for (module, path, text) in sources() {
        if position(&module).is_none_or(|own| own > position(LAST_PURE).unwrap()) {
            continue;
        }
        for (number, line) in code(&text).lines().enumerate() {
            // Schemas say `number` by naming f64; no value of that type exists.
            let line = line.replace("schemars(with = \"f64\"", "");
            for word in banned {
                assert!(!line.contains(word), "{}:{}: `{word}` in a pure module", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn only_the_draw_module_names_the_rng() {
    for (module, path, text) in sources() {
        assert!(module == "draw" || !code(&text).contains("rand_"), "{}: take a lane from `draw`", path.display());
    }
}

#[test]
fn files_are_short() {
    for (_, path, text) in sources() {
        let lines = code(&text).lines().count();
        assert!(lines <= 300, "{}: {lines} lines without tests ask for a better shape", path.display());
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = ["todo!(", "unimplemented!(", concat!("FIX", "ME"), concat!("TO", "DO:")];
    for (_, path, text) in sources() {
        for mark in marks {
            assert!(!text.contains(mark), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn the_fixture_library_is_light() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "-e", "normal", "--no-default-features", "--offline", "--prefix", "none", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("rand_chacha"), "cargo tree printed nothing useful:\n{tree}");
    for heavy in ["rdkafka", "tokio", "clap", "schemars", "indicatif", "tracing"] {
        assert!(!tree.lines().any(|line| line.starts_with(heavy)), "{heavy} is in the light library:\n{tree}");
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
        assert_eq!(mock_data_gen::digest::Digest::of(&bytes[..length]).to_string(), sha256, "{name}");
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
    for path in files(&root().join("tests"), ".rs").into_iter().filter(|path| !path.ends_with("tidy.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let found = text.lines().zip(1..).find(|(line, _)| own(line));
        assert_eq!(found, None, "{}: take the limit from tests/support/patience.rs", path.display());
    }
}
