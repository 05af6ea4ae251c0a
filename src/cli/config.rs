//! Where an option's value comes from: a flag beats its variable, a variable beats the file, the file beats the default.
//!
//! What variables and the file say is put before what was typed, as flags, so that one parser judges all of them; each keeps its
//! origin for errors and for `check`.

mod error;
mod file;
mod implied;
mod origin;
mod suggest;
mod words;
mod written_with;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Arg, Command};

pub(crate) use self::error::ConfigurationError;
use self::file::{ConfigFile, Entry, read_small};
use self::implied::{add_manifest, drop_beaten_alternatives, name_topics};
use self::origin::Options;
pub(crate) use self::origin::Origin;
pub(crate) use self::suggest::advice;
use self::suggest::{nearest, unknown_variables};
pub(crate) use self::words::{INSTRUCTIONS_VARIABLE, Variables};
use self::words::{
    PROPERTY, PROPERTY_VARIABLE, is_option, is_switch, name, on_or_off, switched, typed_properties, typed_value,
    variables_of,
};
use crate::cli::args::stream::EMBEDDED;

/// The option that names the file.
const CONFIG: &str = "config";
/// `MDG_KAFKA_SASL_PASSWORD_FILE` names a file that holds it, as container secrets do.
const IN_A_FILE: &str = "_FILE";

/// What was given outside the command line, and where.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// By long name: the value as text.
    options: Options,
    /// By librdkafka's name, those that no later layer repeats. The value may be a secret.
    properties: BTreeMap<String, (String, Origin)>,
    /// What to say of variables that look like ours and are not.
    unknown: Vec<String>,
}

impl Configuration {
    /// Collects what variables and the file say to the command that `typed` names, and gives the arguments for the parser.
    pub(crate) fn resolve(
        root: &Command,
        typed: &[OsString],
        variables: &Variables,
    ) -> Result<(Self, Vec<OsString>), ConfigurationError> {
        let subcommand = typed.get(1).and_then(|word| root.find_subcommand(word.to_str()?));
        let (before, typed) = typed.split_at(typed.len().min(if subcommand.is_some() { 2 } else { 1 }));
        let command = subcommand.unwrap_or(root);
        let mut found = Self { unknown: unknown_variables(root, variables), ..Self::default() };
        let mut args: Vec<&Arg> = command.get_arguments().filter(|arg| is_option(arg)).collect();
        if subcommand.is_some() {
            // A global option, which clap only adds to commands when it parses.
            args.extend(root.get_arguments().filter(|arg| name(arg) == CONFIG));
        }
        for arg in &args {
            if let Some(value) = typed_value(arg, typed, &args) {
                found.options.insert(name(arg), (value, Origin::Flag));
            }
            found.add_variable(arg, variables)?;
        }
        // The file's own name comes by flag or variable only.
        let path = found.options.remove(CONFIG).map(|(path, _)| path).filter(|path| !path.is_empty());
        if let Some(path) = path.map(PathBuf::from) {
            found.add_file(&ConfigFile::read(&path)?, &path, root, &args)?;
        }
        found.add_property_variables(variables)?;
        for key in typed_properties(typed) {
            found.properties.remove(&key);
        }
        drop_beaten_alternatives(&mut found.options);
        name_topics(&mut found.options, &args);
        add_manifest(&mut found.options, &args)?;

        let mut arguments = before.to_vec();
        arguments.extend(found.as_flags(&args)?);
        // With another sink or source, or the broker inside this process, properties of the Kafka client that a file or variable
        // holds are not meant.
        let is = |option: &str, value: &str| found.options.get(option).is_some_and(|(given, _)| given == value);
        let kafka = !found.options.contains_key("files")
            && (!found.options.contains_key("sink") || is("sink", "kafka"))
            && !is("bootstrap-servers", EMBEDDED);
        if kafka && command.get_arguments().any(|arg| arg.get_short() == Some('X')) {
            arguments
                .extend(found.properties.iter().map(|(key, (value, _))| format!("{PROPERTY}{key}={value}").into()));
        }
        for word in typed {
            let switched = switched(word, &args);
            arguments.extend(switched.map_err(|(option, value)| ConfigurationError::Switch {
                option,
                value,
                origin: Origin::Flag,
            })?);
        }
        Ok((found, arguments))
    }

    /// Variables that begin like ours but are none, misspelt most likely: what to say of each.
    pub(crate) fn unknown_variables(&self) -> &[String] {
        &self.unknown
    }

    /// Where an option's value comes from, by its long name.
    pub(crate) fn origin(&self, option: &str) -> Origin {
        self.options.get(option).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Where a librdkafka property comes from.
    pub(crate) fn property_origin(&self, key: &str) -> Origin {
        self.properties.get(key).map_or(Origin::Flag, |(_, origin)| origin.clone())
    }

    /// A line for each option that a message names: its value, and where that comes from. What was typed is before everybody's
    /// eyes, and left out unless `typed` asks for it.
    pub(crate) fn explain(&self, message: &str, typed: bool) -> String {
        let named = |(option, (_, origin)): &(&String, &(String, Origin))| {
            (typed || *origin != Origin::Flag) && names(message, &format!("--{option}"))
        };
        let option = |(option, (value, origin)): (&String, &(String, Origin))| {
            format!("--{option}={value} comes from {}\n", origin.within())
        };
        let property = |(key, (_, origin)): (&String, &(String, Origin))| {
            names(message, &format!("{PROPERTY} {key}"))
                .then(|| format!("{PROPERTY} {key} comes from {}\n", origin.within()))
        };
        let options = self.options.iter().filter(named).map(option);
        options.chain(self.properties.iter().filter_map(property)).collect()
    }

    fn add_variable(&mut self, arg: &Arg, variables: &Variables) -> Result<(), ConfigurationError> {
        let mut given: Option<(String, String)> = None;
        for variable in variables_of(arg) {
            let Some(value) = set(variables, &variable)? else { continue };
            match given {
                None => given = Some((variable, value)),
                Some((_, ref first_value)) if *first_value == value => {}
                Some((first, first_value)) => {
                    let (option, second, second_value) = (name(arg), variable, value);
                    return Err(ConfigurationError::Differ { option, first, second, first_value, second_value });
                }
            }
        }
        if let Some((variable, value)) = given {
            self.options.entry(name(arg)).or_insert((value, Origin::Variable(variable)));
        }
        Ok(())
    }

    /// Adds what a file says. It may serve several commands, so a key that only another command knows is passed over.
    fn add_file(
        &mut self,
        file: &ConfigFile,
        path: &Path,
        root: &Command,
        args: &[&Arg],
    ) -> Result<(), ConfigurationError> {
        let known = all_options(root);
        for Entry { key, value, line } in &file.options {
            let (path, line) = (path.to_owned(), *line);
            if key == CONFIG {
                return Err(ConfigurationError::OwnName { path, line });
            }
            if !known.contains(key.as_str()) {
                let tip = nearest(key, &known).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
                return Err(ConfigurationError::UnknownKey { path, line, key: key.clone(), tip });
            }
            if args.iter().any(|arg| name(arg) == *key) {
                self.options.entry(key.clone()).or_insert_with(|| (value.clone(), Origin::File { path, line }));
            }
        }
        for Entry { key, value, line } in &file.properties {
            let origin = Origin::File { path: path.to_owned(), line: *line };
            self.properties.insert(key.clone(), (value.clone(), origin));
        }
        Ok(())
    }

    fn add_property_variables(&mut self, variables: &Variables) -> Result<(), ConfigurationError> {
        for variable in variables.keys().filter_map(|name| name.to_str()) {
            let Some(property) = variable.strip_prefix(PROPERTY_VARIABLE) else { continue };
            let Some(value) = set(variables, variable)? else { continue };
            let (property, value) = match property.strip_suffix(IN_A_FILE) {
                None => (property, value),
                Some(property) => {
                    let plain = format!("{PROPERTY_VARIABLE}{property}");
                    if set(variables, &plain)?.is_some() {
                        return Err(ConfigurationError::Twice(plain));
                    }
                    (property, read_secret(variable, Path::new(&value))?)
                }
            };
            let key = property.to_ascii_lowercase().replace('_', ".");
            self.properties.insert(key, (value, Origin::Variable(variable.to_owned())));
        }
        Ok(())
    }

    /// What was not typed, as flags.
    fn as_flags(&self, args: &[&Arg]) -> Result<Vec<OsString>, ConfigurationError> {
        let mut flags = Vec::new();
        for arg in args {
            let option = name(arg);
            match self.options.get(&option) {
                None | Some((_, Origin::Flag)) => {}
                Some((value, origin)) if is_switch(arg) => match on_or_off(value) {
                    Some(true) => flags.push(format!("--{option}").into()),
                    Some(false) => {}
                    None => {
                        let (value, origin) = (value.clone(), origin.clone());
                        return Err(ConfigurationError::Switch { option, value, origin });
                    }
                },
                Some((value, _)) => flags.push(format!("--{option}={value}").into()),
            }
        }
        Ok(flags)
    }
}

/// A variable's value; an empty one is unset, as in a shell's `${X:-default}`.
fn set(variables: &Variables, variable: &str) -> Result<Option<String>, ConfigurationError> {
    let Some(value) = variables.get(OsStr::new(variable)).filter(|value| !value.is_empty()) else { return Ok(None) };
    value.to_str().map(|value| Some(value.to_owned())).ok_or_else(|| ConfigurationError::NotUtf8(variable.to_owned()))
}

/// A secret's file often ends with a line end that is not part of it.
fn read_secret(variable: &str, path: &Path) -> Result<String, ConfigurationError> {
    let text = read_small(path).map_err(|source| ConfigurationError::SecretFile {
        variable: variable.to_owned(),
        path: path.to_owned(),
        source,
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// The long names of all options of all commands.
fn all_options(root: &Command) -> BTreeSet<String> {
    let commands = std::iter::once(root).chain(root.get_subcommands());
    commands.flat_map(Command::get_arguments).filter(|arg| is_option(arg)).map(name).collect()
}

/// Whether a message names a flag, whole.
fn names(message: &str, flag: &str) -> bool {
    let end = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-' || next == '.');
    message.match_indices(flag).any(|(at, _)| end(&message[at + flag.len()..]))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    /// The arguments that the parser gets, with variables as `NAME=value` words, or the error.
    fn resolve(typed: &str, variables: &str) -> Result<String, String> {
        let variables = variables.split_whitespace().map(|word| word.split_once('=').unwrap());
        let variables = variables.map(|(name, value)| (name.into(), value.into())).collect();
        let resolved = Configuration::resolve(&crate::cli::command(), &words(typed), &variables);
        let (_, arguments) = resolved.map_err(|error| error.to_string())?;
        let arguments: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap()).collect();
        Ok(arguments.join(" "))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file() {
        let file = file("seed = 1\nusers = 2\npartitions = 3\n[kafka]\nlinger.ms = 1\nclient.id = \"file\"\n");
        let path = file.path().display();
        let typed = format!("mdg run --config {path} --seed=30");
        let variables = "MDG_SEED=20 MDG_USERS=20 MDG_KAFKA_LINGER_MS=2 MDG_EPOCH=";
        let expected =
            format!("mdg run --users=20 --partitions=3 -Xclient.id=file -Xlinger.ms=2 --config {path} --seed=30");
        assert_eq!(resolve(&typed, variables).unwrap(), expected);
    }

    #[test]
    fn a_property_that_is_typed_beats_all_others() {
        let file = file("[kafka]\nlinger.ms = 1\nclient.id = \"file\"\n");
        let path = file.path().display();
        for typed in ["-X linger.ms=3", "-Xlinger.ms=3", "-X=linger.ms=3"] {
            let resolved = resolve(&format!("mdg --config {path} {typed}"), "MDG_KAFKA_LINGER_MS=2").unwrap();
            assert_eq!(resolved, format!("mdg -Xclient.id=file --config {path} {typed}"));
        }
    }

    #[test]
    fn an_option_beats_those_that_exclude_it_of_a_lower_origin() {
        let file = file("count = 1\nfast = true\n");
        let path = file.path().display();
        let by_variable = resolve(&format!("mdg --config {path}"), "MDG_DURATION=1s MDG_SPEED=60").unwrap();
        assert_eq!(by_variable, format!("mdg --duration=1s --speed=60 --config {path}"));
        let by_flag = resolve(&format!("mdg --config {path} --to X"), "MDG_DURATION=1s MDG_FAST=no").unwrap();
        assert_eq!(by_flag, format!("mdg --config {path} --to X"));
        let both = resolve("mdg", "MDG_DURATION=1s MDG_COUNT=5").unwrap();
        assert_eq!(both, "mdg --count=5 --duration=1s", "the parser says that these exclude each other");
    }

    #[test]
    fn a_switch_can_be_turned_off_again() {
        let file = file("fast = true\nheaders = true\n");
        let path = file.path().display();
        let typed = format!("mdg --fast=false --hold=true --config {path}");
        assert_eq!(resolve(&typed, "MDG_HEADERS=off").unwrap(), format!("mdg --hold --config {path}"));
        assert!(resolve("mdg", "MDG_HEADERS=perhaps").unwrap_err().contains("--headers"));
    }

    #[test]
    fn a_file_may_serve_several_commands() {
        let file = file("seed = 1\nfast = true\n[kafka]\nlinger.ms = 1\n");
        let path = file.path().display();
        assert_eq!(
            resolve(&format!("mdg show 7 --config {path}"), "").unwrap(),
            format!("mdg show --seed=1 7 --config {path}")
        );
        let elsewhere = resolve(&format!("mdg --sink null --config {path}"), "").unwrap();
        assert_eq!(elsewhere, format!("mdg --seed=1 --fast --sink null --config {path}"));
    }

    #[test]
    fn a_secret_comes_from_a_file_or_from_its_variable_not_from_both() {
        let secret = file("hunter2\n");
        let by_file = format!("MDG_KAFKA_SASL_PASSWORD_FILE={}", secret.path().display());
        assert_eq!(resolve("mdg", &by_file).unwrap(), "mdg -Xsasl.password=hunter2");
        let both = resolve("mdg", &format!("{by_file} MDG_KAFKA_SASL_PASSWORD=swordfish")).unwrap_err();
        assert_eq!(
            both,
            "the variables MDG_KAFKA_SASL_PASSWORD and MDG_KAFKA_SASL_PASSWORD_FILE are both given: unset one of them"
        );
        let gone = resolve("mdg", "MDG_KAFKA_SASL_PASSWORD_FILE=/nowhere").unwrap_err();
        assert!(gone.starts_with("cannot read /nowhere, which MDG_KAFKA_SASL_PASSWORD_FILE names"), "{gone}");
    }

    #[test]
    fn a_key_that_is_no_option_is_refused_with_its_line_and_the_nearest_name() {
        let cases = [
            (
                "seed = 1\nevents_per_second = 2",
                "line 2: there is no option `events_per_second`; did you mean `events-per-second`?",
            ),
            ("config = \"x\"", "line 1: a file cannot name another"),
            ("X = 1", "line 1: there is no option `X`"),
            ("colour = \"red\"", "line 1: there is no option `colour`"),
        ];
        for (text, expected) in cases {
            let file = file(text);
            let error = resolve(&format!("mdg --config={}", file.path().display()), "").unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let missing = resolve("mdg --config /nowhere", "").unwrap_err();
        assert!(missing.starts_with("cannot read /nowhere:"), "{missing}");
    }

    #[test]
    fn variables_that_look_like_ours_are_named() {
        let variables =
            [("MDG_SEDE", "1"), ("MDG_SEED", "1"), ("MDG_KAFKA_ACKS", "1"), ("HOME", "/"), ("MDG_RATE", "1")];
        let variables = variables.map(|(name, value)| (name.into(), value.into())).into_iter().collect();
        let (found, _) = Configuration::resolve(&crate::cli::command(), &words("mdg"), &variables).unwrap();
        let told = [
            "MDG_RATE is none of this program's: did you mean MDG_EVENTS_PER_SECOND?",
            "MDG_SEDE is none of this program's: did you mean MDG_SEED?",
        ];
        assert_eq!(found.unknown_variables(), told);
    }

    #[test]
    fn every_option_reads_a_variable_of_its_own_name() {
        let root = crate::cli::command();
        for arg in root.get_arguments().filter(|arg| is_option(arg) && arg.get_env().is_some()) {
            let option = name(arg);
            let named = format!("MDG_{}", option.to_ascii_uppercase().replace('-', "_"));
            let value = if is_switch(arg) { "true" } else { "x" };
            let variables = Variables::from([(named.into(), value.into())]);
            let (found, _) = Configuration::resolve(&root, &words("mdg"), &variables).unwrap_or_else(|error| {
                // The file that it names is not there.
                assert_eq!(option, CONFIG, "{error}");
                (Configuration::default(), Vec::new())
            });
            assert!(found.unknown_variables().is_empty(), "{option}");
            assert!(option == CONFIG || found.options.contains_key(&option), "{option}");
        }
    }

    #[test]
    fn two_variables_of_an_option_agree_or_are_refused() {
        assert_eq!(resolve("mdg", "WIN_RATE=0.5 MDG_WIN_RATE=0.5").unwrap(), "mdg --win-rate=0.5");
        let both = resolve("mdg", "WIN_RATE=0.5 MDG_WIN_RATE=0.4").unwrap_err();
        assert_eq!(
            both,
            "the variables WIN_RATE and MDG_WIN_RATE both give --win-rate, and differ: '0.5' and '0.4': unset one of them"
        );
        assert_eq!(resolve("mdg", "WIN_RATE= MDG_WIN_RATE=0.4").unwrap(), "mdg --win-rate=0.4");
    }

    #[test]
    fn a_prefix_names_the_topics_that_have_no_name_of_their_own() {
        let all = |prefix: &str| {
            format!(
                "--topic-bid-requests={prefix}bid-requests --topic-bid-responses={prefix}bid-responses \
                 --topic-impressions={prefix}impressions --topic-clicks={prefix}clicks"
            )
        };
        for (prefix, joined) in [("a", "a-"), ("a-", "a-"), ("a.", "a."), ("a_", "a_"), ("a.b", "a.b-")] {
            let typed = format!("mdg --topic-prefix {prefix}");
            assert_eq!(resolve(&typed, "").unwrap(), format!("mdg {} --topic-prefix {prefix}", all(joined)));
        }
        let own = resolve("mdg --topic-prefix a --topic-clicks c", "").unwrap();
        assert!(!own.contains("--topic-clicks=") && own.contains("--topic-impressions=a-impressions"), "{own}");
        let lower = resolve("mdg --topic-prefix a", "TOPIC_CLICKS=c").unwrap();
        assert!(lower.contains("--topic-clicks=a-clicks"), "{lower}");
        let same = resolve("mdg", "TOPIC_CLICKS=c MDG_TOPIC_PREFIX=a").unwrap();
        assert!(same.ends_with("--topic-clicks=c") && same.contains("--topic-impressions=a-impressions"), "{same}");
        assert_eq!(resolve("mdg --topic-prefix a/b", "").unwrap(), "mdg --topic-prefix a/b", "the parser refuses it");
    }

    #[test]
    fn letters_are_options_as_well() {
        for typed in ["-n 5", "-n5", "-n=5", "-qn5", "-qn 5", "--count 5", "--count=5"] {
            let resolved = resolve(&format!("mdg {typed}"), "MDG_COUNT=7 MDG_DURATION=1h").unwrap();
            assert_eq!(resolved, format!("mdg {typed}"), "what is typed beats all variables");
        }
        assert_eq!(resolve("mdg --out -n", "MDG_SEED=1").unwrap(), "mdg --seed=1 --out -n");
    }

    #[test]
    fn a_message_is_explained_for_the_options_that_it_names() {
        let variables = [("MDG_COUNT", "5"), ("MDG_OUT", "x"), ("MDG_KAFKA_SASL_PASSWORD", "hunter2")];
        let variables = variables.map(|(name, value)| (name.into(), value.into())).into_iter().collect();
        let (found, _) = Configuration::resolve(&crate::cli::command(), &words("mdg"), &variables).unwrap();
        assert_eq!(
            found.explain("--count is bad, --out-of-range too", false),
            "--count=5 comes from the variable MDG_COUNT\n"
        );
        let secret = found.explain("-X sasl.password: no", false);
        assert_eq!(secret, "-X sasl.password comes from the variable MDG_KAFKA_SASL_PASSWORD\n");
    }
}
