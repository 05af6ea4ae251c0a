//! Why a folder could not be written or read.

use std::io;
use std::path::PathBuf;

use crate::generator::spec::TopicName;

/// Why a folder could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A signal came meanwhile.
    #[error("stopped by a signal")]
    Stopped,
    /// A file or folder cannot be written.
    #[error("cannot write {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A topic's name is too long for a file.
    #[error("topic `{0}` has too long a name for a file: 248 characters fit beside .ndjson")]
    LongName(TopicName),
    /// The output folder is in use.
    #[error("{path} is not empty", path = .path.display())]
    NotEmpty {
        /// Which.
        path: PathBuf,
    },
    /// The output folder holds something that no run wrote.
    #[error("{path} holds `{entry}`, which no run wrote", path = .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What is there.
        entry: String,
    },
    /// The output folder holds what another run wrote.
    #[error("{path} holds {what}", path = .path.display())]
    Other {
        /// Which.
        path: PathBuf,
        /// How that differs from what would be written.
        what: String,
    },
}

/// Why a folder could not be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A topic has no file.
    #[error("{path} does not exist", path = .0.display())]
    NoFile(PathBuf),
    /// A line has no end.
    #[error("{path}, line {line}: longer than {max} bytes: no line of this program", path = .path.display())]
    LongLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: i64,
        /// The most that is read.
        max: u64,
    },
    /// The manifest is none.
    #[error("{path} is no manifest of this program: {reason}\nmend it, or move it away", path = .path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
