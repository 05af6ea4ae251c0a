//! What `verify` says, and which exit code it has.

use crate::snapshot::snapshot;

/// The program in a folder of its own, with none of our variables set.
fn program(folder: &std::path::Path, args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(args).env_clear().current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exit code, standard output and standard error.
fn seen(output: &std::process::Output) -> String {
    let code = output.status.code().unwrap();
    format!("exit {code}\n--- stdout\n{}--- stderr\n{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_verdict_reads_well() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = |args: &[&str]| program(folder, args);
    let made = ["--sink", "files", "--out", "made", "--envelope", "--fast", "--count", "300", "--click-rate", "1"];
    assert!(run(&made).status.success());
    let options = ["verify", "--files", "made", "--click-rate", "1"];
    snapshot("verify", seen(&run(&[options.as_slice(), &["--fingerprint"]].concat())));
    // A lost line, one digit of a price, and a line twice.
    let requests = folder.join("made/bid-requests.ndjson");
    let lines: Vec<String> = std::fs::read_to_string(&requests).unwrap().lines().map(str::to_owned).collect();
    let kept: Vec<&str> =
        lines.iter().enumerate().filter(|(at, _)| *at != 100).map(|(_, line)| line.as_str()).collect();
    std::fs::write(&requests, kept.join("\n") + "\n").unwrap();
    let impressions = folder.join("made/impressions.ndjson");
    let damaged =
        std::fs::read_to_string(&impressions).unwrap().replacen("\"win_price\":0.78", "\"win_price\":0.79", 1);
    std::fs::write(&impressions, damaged).unwrap();
    let clicks = folder.join("made/clicks.ndjson");
    let mut twice: Vec<String> = std::fs::read_to_string(&clicks).unwrap().lines().map(str::to_owned).collect();
    twice.insert(5, twice[4].clone());
    std::fs::write(&clicks, twice.join("\n") + "\n").unwrap();
    snapshot("verify-different", seen(&run(&options)));
    let json = run(&[options.as_slice(), &["--report", "json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    snapshot("verify-json", serde_json::to_string_pretty(&json).unwrap());
    let other = run(&["verify", "--files", "made", "--click-rate", "1", "--seed", "43"]);
    snapshot("verify-another-seed", seen(&other));
    snapshot("help-verify", text(&run(&["verify", "-h"]).stdout));
}

#[test]
fn the_command_that_a_run_prints_verifies_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_mock-data-gen")).parent().unwrap().to_owned();
    let cases: [&[&str]; 3] = [
        &["--out", "it's one", "--count", "50"],
        &[
            "--out",
            "two",
            "--envelope",
            "--headers",
            "--partitions",
            "3",
            "--from",
            "2026-01-01T01:00:00Z",
            "--duration",
            "20s",
        ],
        &[
            "--out",
            "three",
            "--seed",
            "18446744073709551615",
            "--key-by",
            "request",
            "--topic-clicks",
            "c",
            "--count",
            "50",
        ],
    ];
    for args in cases {
        let output = program(folder.path(), &[&["--sink", "files", "--fast"], args].concat());
        let report = text(&output.stderr);
        let line =
            report.lines().find_map(|line| line.strip_prefix("verify with  ")).unwrap_or_else(|| panic!("{report}"));
        let path = format!("{}:/usr/bin:/bin", bin.display());
        let mut again = std::process::Command::new("bash");
        let again = again.args(["-c", line]).env_clear().env("PATH", path).current_dir(folder.path()).output().unwrap();
        assert!(again.status.success(), "{line}\n{}", seen(&again));
        assert!(text(&again.stdout).contains("all as they should be"), "{line}\n{}", seen(&again));
    }
}

#[test]
fn what_cannot_be_verified_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let made = program(folder.path(), &["--sink", "files", "--out", "made", "--fast", "--count", "20"]);
    assert!(made.status.success());
    let shard = ["--sink", "files", "--out", "shard", "--fast", "--from", "epoch", "--count", "20", "--shard", "0/2"];
    assert!(program(folder.path(), &shard).status.success());
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--files", "shard"], 2, "shard/manifest.json is of --shard 0/2: files are verified whole"),
        (&["--from", "now", "--files", "made"], 2, "--from now is a time that nobody knows afterwards"),
        (&["-X", "linger.ms=5", "--files", "made"], 2, "-X sets properties of the Kafka client"),
        (&["--fingerprint", "--files", "made"], 2, "holds bare values"),
        (&["--bootstrap-servers", "embedded"], 2, "a broker that ends with its run"),
        (&["--files", "nowhere"], 3, "nowhere/bid-requests.ndjson does not exist"),
        (
            &["--files", "made", "--topic-clicks", "c"],
            2,
            "--topic-clicks c (command line) is not what made/manifest.json says",
        ),
        (&["--files", "empty"], 3, "there are no records"),
    ];
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for name in ["bid-requests", "bid-responses", "impressions", "clicks"] {
        std::fs::write(folder.path().join(format!("empty/{name}.ndjson")), "").unwrap();
    }
    for (args, code, reason) in cases {
        let output = program(folder.path(), &[&["verify"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", seen(&output));
        assert!(text(&output.stderr).contains(reason), "{args:?}: {}", seen(&output));
        assert!(output.stdout.is_empty(), "{args:?}: {}", seen(&output));
    }
    // A manifest that is none.
    std::fs::write(folder.path().join("made/manifest.json"), "{\"lines\":1}").unwrap();
    let output = program(folder.path(), &["verify", "--files", "made"]);
    assert_eq!(output.status.code(), Some(3), "{}", seen(&output));
    assert!(text(&output.stderr).contains("made/manifest.json is no manifest of this program"), "{}", seen(&output));
}
