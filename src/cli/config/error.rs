//! Configurations that contradict themselves.

use std::path::PathBuf;

use super::file::ConfigFileError;
use super::origin::Origin;

/// A configuration that contradicts itself before any value is looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigurationError {
    #[error(transparent)]
    File(#[from] ConfigFileError),
    #[error("{path}, line {line}: there is no option `{key}`{tip}", path = .path.display())]
    UnknownKey { path: PathBuf, line: usize, key: String, tip: String },
    #[error("{path}, line {line}: a file cannot name another: give --config or MDG_CONFIG, or omit `config`", path = .path.display())]
    OwnName { path: PathBuf, line: usize },
    #[error("the variable {0} is not UTF-8")]
    NotUtf8(String),
    #[error("'{value}' is no value of --{option}, which comes from {from}: give true or false", from = .origin.within())]
    Switch { option: String, value: String, origin: Origin },
    #[error(
        "--{option} {given} ({origin}) is not what {manifest} says, which is {written}: omit it",
        manifest = .manifest.display()
    )]
    Written { option: String, given: String, origin: Box<Origin>, manifest: PathBuf, written: String },
    #[error("the variables {0} and {0}_FILE are both given: unset one of them")]
    Twice(String),
    #[error(
        "the variables {first} and {second} both give --{option}, and differ: '{first_value}' and '{second_value}': unset one of them"
    )]
    Differ { option: String, first: String, second: String, first_value: String, second_value: String },
    #[error("cannot read {path}, which {variable} names: {source}", path = .path.display())]
    SecretFile {
        variable: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}
