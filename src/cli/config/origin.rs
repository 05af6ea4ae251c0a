//! Where an option's value was given.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Options by long name: the value as text, and where it was given.
pub(crate) type Options = BTreeMap<String, (String, Origin)>;

/// Where a value was given; the later beats the earlier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nowhere.
    Default,
    /// In the manifest of a folder that is read.
    Manifest(PathBuf),
    /// In the file.
    File { path: PathBuf, line: usize },
    /// By a variable.
    Variable(String),
    /// In a name that was made of --topic-prefix, which came from there.
    Prefix(Box<Self>),
    /// On the command line.
    Flag,
}

impl Origin {
    /// Which of the four, as a number that orders them.
    pub(crate) fn layer(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Manifest(_) | Self::File { .. } => 1,
            Self::Variable(_) => 2,
            Self::Prefix(origin) => origin.layer(),
            Self::Flag => 3,
        }
    }

    /// As it stands in a sentence.
    pub(crate) fn within(&self) -> String {
        if matches!(self, Self::Variable(_) | Self::Flag) { format!("the {self}") } else { self.to_string() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Manifest(path) => write!(f, "{}", path.display()),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Prefix(origin) => write!(f, "--topic-prefix, {origin}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}
