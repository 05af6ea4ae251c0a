//! The words of the command line, looked at before they are parsed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction};

/// Variables of ours begin so, apart from the product document's.
pub(crate) const OURS: &str = "MDG_";
/// The flag of librdkafka properties.
pub(crate) const PROPERTY: &str = "-X";

/// `MDG_KAFKA_SASL_PASSWORD` is the property `sasl.password`.
pub(crate) const PROPERTY_VARIABLE: &str = "MDG_KAFKA_";
/// The variable that chooses vector instructions. It is no option: it changes nothing but time.
pub(crate) const INSTRUCTIONS_VARIABLE: &str = "MDG_SIMD";
/// The process's variables.
pub(crate) type Variables = BTreeMap<OsString, OsString>;

pub(crate) fn is_option(arg: &Arg) -> bool {
    arg.get_long().is_some()
        && !matches!(
            arg.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        )
}

pub(crate) fn name(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().to_owned()
}

pub(crate) fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// The variables that an option reads: the product document's, where it has one, and `MDG_<OPTION>`.
pub(crate) fn variables_of(arg: &Arg) -> Vec<String> {
    let Some(own) = arg.get_env().and_then(OsStr::to_str) else { return Vec::new() };
    let by_name = format!("{OURS}{}", name(arg).to_ascii_uppercase().replace('-', "_"));
    // `--window` of the answer key is called otherwise within.
    if own == by_name { vec![by_name] } else { vec![own.to_owned(), by_name] }
}

/// What an option has on the command line: empty where it is a switch, or its value is missing.
pub(crate) fn typed_value(arg: &Arg, typed: &[OsString], args: &[&Arg]) -> Option<String> {
    let flag = format!("--{}", name(arg));
    let mut words = typed.iter().take_while(|word| *word != "--").map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        match arg.get_short().and_then(|letter| after_letter(&word, letter, args)) {
            Some(_) if is_switch(arg) => return Some(String::new()),
            Some("") => return Some(words.next().unwrap_or_default().into_owned()),
            Some(rest) => return Some(rest.strip_prefix('=').unwrap_or(rest).to_owned()),
            None => {}
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

/// What stands after a letter in a word of letters, `5` of `-qn5`: switches may stand before it.
fn after_letter<'a>(word: &'a str, letter: char, args: &[&Arg]) -> Option<&'a str> {
    let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
    let is_switch = |letter| args.iter().any(|arg| arg.get_short() == Some(letter) && is_switch(arg));
    let at = letters.find(|c| c == letter || !is_switch(c))?;
    letters[at..].strip_prefix(letter)
}

/// The keys of the properties on the command line: `-X key=value` or `-Xkey=value`.
pub(crate) fn typed_properties(typed: &[OsString]) -> Vec<String> {
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
pub(crate) fn switched(word: &OsString, args: &[&Arg]) -> Result<Option<OsString>, (String, String)> {
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
pub(crate) fn on_or_off(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}
