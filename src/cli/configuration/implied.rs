//! What options say of each other: those that exclude others, name others, or name a folder that was written with some.

use std::path::PathBuf;

use clap::Arg;

use super::super::arguments::{name, on_or_off};
use super::super::options::TopicPrefix;
use super::super::origin::Origin;
use super::super::written_with::{MANIFEST, are_one, written_with};
use super::{Configuration, ConfigurationError};

/// The option that names a folder to read.
const FILES: &str = "files";
/// The option that names all four topics.
const TOPIC_PREFIX: &str = "topic-prefix";
/// Options of which at most one may be given: one that is given beats all of a lower origin.
const ALTERNATIVES: [&[&str]; 2] = [&["to", "count", "duration"], &[FAST, "speed"]];
const FAST: &str = "fast";

impl Configuration {
    /// An option beats those that exclude it and were given further down.
    pub(super) fn drop_beaten_alternatives(&mut self) {
        for group in ALTERNATIVES {
            // A switch that is turned off excludes nothing.
            let is_off = |option: &str, value: &str| option == FAST && on_or_off(value) == Some(false);
            let given = |option: &&str| self.options.get(*option).filter(|(value, _)| !is_off(option, value));
            let Some(highest) = group.iter().filter_map(given).map(|(_, origin)| origin.layer()).max() else {
                continue;
            };
            self.options.retain(|option, (value, origin)| {
                !group.contains(&option.as_str()) || is_off(option, value) || origin.layer() == highest
            });
        }
    }

    /// Gives each topic that has no name of its own one with the prefix. A name that comes from further down than the prefix is beaten
    /// by it.
    pub(super) fn name_topics(&mut self, args: &[&Arg]) {
        let Some((prefix, origin)) = self.options.get(TOPIC_PREFIX).cloned() else { return };
        // What is no prefix is refused by the parser, under its own name.
        let Ok(prefix) = prefix.parse::<TopicPrefix>() else { return };
        for arg in args {
            let option = name(arg);
            let Some(topic) = option.strip_prefix("topic-").filter(|_| option != TOPIC_PREFIX) else { continue };
            let own = self.options.get(&option).is_some_and(|(_, own)| own.layer() >= origin.layer());
            if !own {
                // It is typed nowhere, so the parser has to get it whatever the prefix's origin is.
                let origin = Origin::Prefix(Box::new(origin.clone()));
                self.options.insert(option.clone(), (prefix.topic(topic), origin));
            }
        }
    }

    /// Adds what a folder that is read was written with. Nothing may be given against that.
    pub(super) fn add_manifest(&mut self, args: &[&Arg]) -> Result<(), ConfigurationError> {
        let Some((folder, _)) = self.options.get(FILES).filter(|_| args.iter().any(|arg| name(arg) == FILES)) else {
            return Ok(());
        };
        let folder = PathBuf::from(folder);
        let manifest = folder.join(MANIFEST);
        for (option, written) in written_with(&folder) {
            match self.options.get(&option) {
                None if args.iter().any(|arg| name(arg) == option) => {
                    self.options.insert(option, (written, Origin::Manifest(manifest.clone())));
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
}
