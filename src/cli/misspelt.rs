//! Names that are none of this program's, and what they were most likely meant to be.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use super::configuration::{PROPERTY_VARIABLE, Variables};

/// Variables of ours begin so, apart from the product document's.
const OURS: &str = "MDG_";

/// What to say of variables that begin like ours and are none.
pub(super) fn unknown_variables(root: &Command, variables: &Variables) -> Vec<String> {
    let commands = std::iter::once(root).chain(root.get_subcommands());
    let known: BTreeSet<&OsStr> = commands.flat_map(Command::get_arguments).filter_map(Arg::get_env).collect();
    let ours = |name: &&OsString| {
        let text = name.to_str().unwrap_or_default();
        text.starts_with(OURS) && !text.starts_with(PROPERTY_VARIABLE) && !known.contains(name.as_os_str())
    };
    // As options are spelt.
    let spelt: BTreeSet<String> =
        known.iter().map(|name| name.to_string_lossy().to_ascii_lowercase().replace('_', "-")).collect();
    let told = |name: &OsString| {
        let name = name.to_string_lossy();
        let near = nearest(&name, &spelt).map(|near| near.to_ascii_uppercase().replace('-', "_"));
        let tip = near.map_or("is it misspelt?".to_owned(), |near| format!("did you mean {near}?"));
        format!("{name} is none of this program's: {tip}")
    };
    variables.keys().filter(ours).map(told).collect()
}

/// The known name that a key was most likely meant to be: one or two letters away, or with `_` for `-`.
pub(super) fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    let plain = key.to_ascii_lowercase().replace('_', "-");
    known
        .iter()
        .map(|name| (strsim::levenshtein(&plain, name), name))
        // Of a short key two letters are all.
        .filter(|(distance, _)| *distance <= 2 && distance * 2 <= plain.len())
        .min()
        .map(|(_, name)| name)
}
