//! Names that are none of this program's, and what they were most likely meant to be.

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::Command;

use super::words::{INSTRUCTIONS_VARIABLE, OURS, PROPERTY_VARIABLE, Variables, variables_of};

/// What people call an option that is called otherwise here, and what to do about it.
const OTHER_WORDS: [(&[&str], &str); 22] = [
    (
        &["rate", "eps", "rps", "qps", "tps", "events", "events-per-sec", "requests-per-second", "throughput"],
        "events-per-second",
    ),
    (&["limit", "num", "number", "max", "records", "requests", "auctions", "total", "size"], "count"),
    (&["brokers", "broker", "bootstrap-server", "bootstrap", "servers", "kafka", "host"], "bootstrap-servers"),
    (&["topic", "topics", "prefix"], "topic-prefix"),
    (&["start", "begin", "since", "start-time", "after"], "from"),
    (&["end", "until", "stop", "end-time", "before"], "to"),
    (&["length", "period", "time", "span"], "duration"),
    (&["output", "outdir", "out-dir", "output-dir", "dir", "directory", "folder", "path"], "out"),
    (&["random-seed", "rng-seed", "random"], "seed"),
    (&["response-rate", "fill-rate", "bid-rate"], "bid-response-rate"),
    (&["impression-rate", "win-ratio"], "win-rate"),
    (&["ctr", "click-through-rate"], "click-rate"),
    (&["key", "partition-by"], "key-by"),
    (&["dups", "dup", "duplicate", "duplicate-rate"], "duplicates"),
    (&["lateness", "late-rate", "delay", "out-of-order"], "late"),
    (&["workers", "worker"], "shard"),
    (&["parallelism", "jobs", "concurrency", "cores"], "threads"),
    (&["replication", "replicas", "rf"], "replication-factor"),
    (&["force", "replace", "clobber"], "overwrite"),
    (&["silent"], "quiet"),
    (&["full-speed", "no-wait", "max-speed"], "fast"),
    (&["conf", "config-file"], "config"),
];

/// What to do instead, where no option is it.
const OTHER_WAYS: [(&[&str], &str); 6] = [
    (&["json"], "reports are JSON by --report json, what is said by --log-format json"),
    (&["verbose", "debug", "log-level"], "RUST_LOG=debug tells more"),
    (&["dry-run"], "the command check says what a run would do"),
    (
        &["property", "producer-property", "producer-config", "command-config", "set"],
        "properties of the Kafka client are set by -X KEY=VALUE",
    ),
    (&["transactional", "exactly-once", "eos"], "that is --delivery exactly-once"),
    (&["stdout", "files", "null"], "that is --sink, with this as its value"),
];

/// The option that is meant by a word that is none.
fn meant(word: &str) -> Option<&'static str> {
    let plain = word.to_ascii_lowercase().replace('_', "-");
    OTHER_WORDS.into_iter().find(|(words, _)| words.contains(&&*plain)).map(|(_, option)| option)
}

/// What to say to a flag that a command does not have: its own word for it, if it has one.
pub(crate) fn advice(flag: &str, command: &Command) -> Option<String> {
    let word = flag.trim_start_matches('-');
    let has = |option: &&str| command.get_arguments().any(|arg| arg.get_long() == Some(option));
    if let Some(option) = meant(word).filter(has) {
        return Some(format!("--{option}"));
    }
    OTHER_WAYS.into_iter().find(|(words, _)| words.contains(&word)).map(|(_, way)| way.to_owned())
}

/// What to say of variables that begin like ours and are none.
pub(crate) fn unknown_variables(root: &Command, variables: &Variables) -> Vec<String> {
    let commands = std::iter::once(root).chain(root.get_subcommands());
    let known: BTreeSet<String> = commands.flat_map(Command::get_arguments).flat_map(variables_of).collect();
    let ours = |name: &&OsString| {
        let text = name.to_str().unwrap_or_default();
        text.starts_with(OURS)
            && !text.starts_with(PROPERTY_VARIABLE)
            && text != INSTRUCTIONS_VARIABLE
            && !known.contains(text)
    };
    // As options are spelt.
    let spelt: BTreeSet<String> = known.iter().map(|name| name.to_ascii_lowercase().replace('_', "-")).collect();
    let told = |name: &OsString| {
        let name = name.to_string_lossy();
        let near = match meant(name.trim_start_matches(OURS)) {
            Some(option) => Some(format!("mdg-{option}")),
            None => nearest(&name, &spelt).cloned(),
        };
        let near = near.map(|near| near.to_ascii_uppercase().replace('-', "_"));
        let tip = near.map_or("is it misspelt?".to_owned(), |near| format!("did you mean {near}?"));
        format!("{name} is none of this program's: {tip}")
    };
    variables.keys().filter(ours).map(told).collect()
}

/// The known name that a key was most likely meant to be: one or two letters away, or with `_` for `-`.
pub(crate) fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let plain = key.to_ascii_lowercase().replace('_', "-");
    if let Some(option) = meant(key).and_then(|option| known.get(option)) {
        return Some(option);
    }
    known
        .iter()
        .map(|name| (strsim::levenshtein(&plain, name), name))
        // Of a short key two letters are all.
        .filter(|(distance, _)| *distance <= 2 && distance * 2 <= plain.len())
        .min()
        .map(|(_, name)| name)
}
