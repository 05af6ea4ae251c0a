//! Any file, flags and variables: they are taken, or refused as wrong usage with something to read, and a secret is shown nowhere.
//!
//! The input has three parts, parted by lines of `---`: the file, flags by line, `NAME=value` by line.
#![no_main]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use libfuzzer_sys::fuzz_target;
use mock_data_gen::cli::fuzzing::judge;

/// Stands in no input by chance.
const SECRET: &str = "QqXxZzhunter2zZxXqQ";

fn lines(part: &[u8]) -> impl Iterator<Item = &[u8]> {
    part.split(|&byte| byte == b'\n').filter(|line| !line.is_empty() && line.len() < 4_096)
}

/// What stands before a line of `---`, and what behind it.
fn part(text: &[u8]) -> (&[u8], &[u8]) {
    const LINE: &[u8] = b"---\n";
    let at = text.windows(LINE.len()).position(|window| window == LINE);
    at.map_or((text, &[]), |at| (&text[..at], &text[at + LINE.len()..]))
}

/// What names a file would be read, be it endless.
fn names_a_file(word: &[u8]) -> bool {
    let word = word.to_ascii_uppercase();
    let has = |part: &[u8]| word.windows(part.len()).any(|window| window == part);
    has(b"--CONF") || has(b"MDG_CONFIG") || has(b"_FILE")
}

fuzz_target!(|data: &[u8]| {
    let (file, rest) = part(data);
    let (flags, variables) = part(rest);
    let path = std::env::temp_dir().join(format!("mock-data-gen-fuzz-{}.toml", std::process::id()));
    fs::write(&path, file).unwrap();

    let mut typed: Vec<OsString> = vec!["mock-data-gen".into()];
    typed.extend(lines(flags).filter(|flag| !names_a_file(flag)).map(|flag| OsString::from_vec(flag.to_vec())));
    let mut given: BTreeMap<OsString, OsString> = BTreeMap::new();
    for line in lines(variables).filter(|line| !names_a_file(line)) {
        let equals = line.iter().position(|&byte| byte == b'=').unwrap_or(line.len());
        let value = line.get(equals + 1..).unwrap_or_default();
        given.insert(OsString::from_vec(line[..equals].to_vec()), OsString::from_vec(value.to_vec()));
    }
    given.insert("MDG_CONFIG".into(), path.into());
    given.insert("MDG_KAFKA_SASL_PASSWORD".into(), SECRET.into());

    let (code, said) = judge(&typed, &given);
    assert!([0, 2].contains(&code), "exit code {code}: {said}");
    assert!(code == 0 || !said.trim().is_empty(), "nothing is said");
    assert!(!said.contains(SECRET), "a secret is shown: {said}");
});
