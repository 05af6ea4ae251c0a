//! What options say of each other: those that exclude others, name others, or name a folder that was written with some.

use std::path::PathBuf;

use clap::Arg;

use super::error::ConfigurationError;
use super::origin::Options;
use super::origin::Origin;
use super::words::{name, on_or_off};
use super::written_with::{MANIFEST, are_one, written_with};
use crate::cli::args::stream::TopicPrefix;

/// The option that names a folder to read.
const FILES: &str = "files";
/// The option that names all four topics.
const TOPIC_PREFIX: &str = "topic-prefix";
/// Options of which at most one may be given: one that is given beats all of a lower origin.
const ALTERNATIVES: [&[&str]; 2] = [&["to", "count", "duration"], &[FAST, "speed"]];
const FAST: &str = "fast";

/// An option beats those that exclude it and were given further down.
pub(super) fn drop_beaten_alternatives(options: &mut Options) {
    for group in ALTERNATIVES {
        // A switch that is turned off excludes nothing.
        let is_off = |option: &str, value: &str| option == FAST && on_or_off(value) == Some(false);
        let given = |option: &&str| options.get(*option).filter(|(value, _)| !is_off(option, value));
        let Some(highest) = group.iter().filter_map(given).map(|(_, origin)| origin.layer()).max() else {
            continue;
        };
        options.retain(|option, (value, origin)| {
            !group.contains(&option.as_str()) || is_off(option, value) || origin.layer() == highest
        });
    }
}

/// Gives each topic that has no name of its own one with the prefix. A name that comes from further down than the prefix is beaten
/// by it.
pub(super) fn name_topics(options: &mut Options, args: &[&Arg]) {
    let Some((prefix, origin)) = options.get(TOPIC_PREFIX).cloned() else { return };
    // What is no prefix is refused by the parser, under its own name.
    let Ok(prefix) = prefix.parse::<TopicPrefix>() else { return };
    for arg in args {
        let option = name(arg);
        let Some(topic) = option.strip_prefix("topic-").filter(|_| option != TOPIC_PREFIX) else { continue };
        let own = options.get(&option).is_some_and(|(_, own)| own.layer() >= origin.layer());
        if !own {
            // It is typed nowhere, so the parser has to get it whatever the prefix's origin is.
            let origin = Origin::Prefix(Box::new(origin.clone()));
            options.insert(option.clone(), (prefix.topic(topic), origin));
        }
    }
}

/// Adds what a folder that is read was written with. Nothing may be given against that.
pub(super) fn add_manifest(options: &mut Options, args: &[&Arg]) -> Result<(), ConfigurationError> {
    let Some((folder, _)) = options.get(FILES).filter(|_| args.iter().any(|arg| name(arg) == FILES)) else {
        return Ok(());
    };
    let folder = PathBuf::from(folder);
    let manifest = folder.join(MANIFEST);
    for (option, written) in written_with(&folder) {
        match options.get(&option) {
            None if args.iter().any(|arg| name(arg) == option) => {
                options.insert(option, (written, Origin::Manifest(manifest.clone())));
            }
            Some((given, origin)) if !are_one(&option, given, &written) => {
                let given = if given.is_empty() { "true".to_owned() } else { given.clone() };
                let origin = Box::new(origin.clone());
                return Err(ConfigurationError::Written { option, given, origin, manifest, written });
            }
            None | Some(_) => {}
        }
    }
    Ok(())
}
