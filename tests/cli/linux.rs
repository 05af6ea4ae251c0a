//! Trouble that only a Linux machine can make on purpose: a full disk, a folder that is not ours. `make test-linux`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(feature = "cli", target_os = "linux"))]

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

/// A shell in a mount namespace of its own, with a file system of 300 kB at `$DISK`.
fn on_a_small_disk(script: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o size=300k none \"$DISK\" || exit 99\n{script}");
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "bash", "-c", &script])
        .env("DISK", folder.path())
        .env("MDG", env!("CARGO_BIN_EXE_mock-data-gen"))
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(99), "no mount: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
#[ignore = "mounts a file system: make test-linux"]
fn a_full_disk_ends_the_run_by_name_and_leaves_no_manifest() {
    let output = on_a_small_disk(
        "\"$MDG\" --sink files --out \"$DISK/out\" --fast --count 5000; code=$?; ls \"$DISK/out\"; exit $code",
    );
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(message.contains("cannot write") && message.contains("out/bid-requests.ndjson"), "{message}");
    assert!(message.contains("No space left on device") && !message.contains("panicked"), "{message}");
    let left = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(left.contains("bid-requests.ndjson") && !left.lines().any(|name| name == "manifest.json"), "{left}");
    // A manifest that does not fit any more is an error, too.
    let output = on_a_small_disk(
        "\"$MDG\" --sink files --out \"$DISK/out\" --fast --count 10 --from epoch 2>&1 && rm \"$DISK/out/manifest.json\" || exit 98
         head -c 1000000 /dev/zero >\"$DISK/filler\" 2>/dev/null; rm -r \"$DISK/out\"
         head -c 1000000 /dev/zero >>\"$DISK/filler\" 2>/dev/null
         \"$MDG\" --sink files --out \"$DISK/out\" --fast --count 1",
    );
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("No space left on device"), "{}", stderr(&output));
}

#[test]
#[ignore = "changes the user: make test-linux"]
fn a_folder_that_is_not_ours_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("mock-data-gen");
    std::fs::copy(env!("CARGO_BIN_EXE_mock-data-gen"), &program).unwrap();
    let out = folder.path().join("out");
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&program)
        .args(["--sink", "files", "--fast", "--count", "1", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let expected = format!("cannot write {}: Permission denied", out.display());
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    assert!(!out.exists());
}
