//! The words of the command line, looked at before they are parsed.

use std::ffi::OsString;

use clap::{Arg, ArgAction};

/// The flag of librdkafka properties.
pub(super) const PROPERTY: &str = "-X";

pub(super) fn is_option(arg: &Arg) -> bool {
    arg.get_long().is_some()
        && !matches!(
            arg.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        )
}

pub(super) fn name(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().to_owned()
}

pub(super) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// What an option has on the command line: empty where it is a switch, or its value is missing.
pub(super) fn typed_value(arg: &Arg, typed: &[OsString]) -> Option<String> {
    let flag = format!("--{}", name(arg));
    let short = arg.get_short().map(|letter| format!("-{letter}"));
    let mut words = typed.iter().take_while(|word| *word != "--").map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if is_switch(arg) && short.as_deref() == Some(&word) {
            return Some(String::new());
        }
        match word.strip_prefix(&flag) {
            Some("") if is_switch(arg) => return Some(String::new()),
            Some("") => return Some(words.next().unwrap_or_default().into_owned()),
            Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
            Some(_) | None => {}
        }
    }
    None
}

/// The keys of the properties on the command line: `-X key=value` or `-Xkey=value`.
pub(super) fn typed_properties(typed: &[OsString]) -> Vec<String> {
    let mut words = typed.iter().take_while(|word| *word != "--").map(|word| word.to_string_lossy());
    let mut keys = Vec::new();
    while let Some(word) = words.next() {
        let property = match word.strip_prefix(PROPERTY) {
            Some("") => words.next().unwrap_or_default().into_owned(),
            Some(rest) => rest.strip_prefix('=').unwrap_or(rest).to_owned(),
            None => continue,
        };
        keys.push(property.split('=').next().unwrap_or_default().trim().to_owned());
    }
    keys
}

/// A typed word as the parser takes it: `--fast=false` is how a switch that a file turns on is turned off again.
///
/// # Errors
/// If a switch is given something else: its long name, and that.
pub(super) fn switched(word: &OsString, args: &[&Arg]) -> Result<Option<OsString>, (String, String)> {
    let split = word.to_str().and_then(|word| word.split_once('='));
    let Some((flag, value)) = split else { return Ok(Some(word.clone())) };
    let is_it = |arg: &&&Arg| is_switch(arg) && flag.strip_prefix("--") == arg.get_long();
    let Some(switch) = args.iter().find(is_it) else { return Ok(Some(word.clone())) };
    match on_or_off(value) {
        Some(true) => Ok(Some(flag.into())),
        Some(false) => Ok(None),
        None => Err((name(switch), value.to_owned())),
    }
}

/// The words that clap takes for a boolean, too.
pub(super) fn on_or_off(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}
