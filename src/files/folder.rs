//! The files of a folder: their names, and how they are written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use sha2::Sha256;
use sha2::digest::Digest as _;

use super::error::FilesError;
use crate::generator::digest::Digest;
use crate::generator::spec::{Layout, Topic};

/// The longest file name that file systems take; Kafka's longest topic name is not much shorter.
const FILE_NAME_MAX: usize = 255;
/// What a topic's file name ends with.
pub(crate) const ENDING: &str = ".ndjson";

/// What a folder says of itself.
pub(crate) const MANIFEST: &str = "manifest.json";
/// What is there until a folder is whole: the manifest of a run that has written nothing yet.
pub(crate) const BEGUN: &str = "manifest.json.part";

/// The name of a topic's file.
pub(crate) fn file_name(topic: &Topic) -> String {
    format!("{}{ENDING}", topic.name)
}

/// Refuses topics that no file can be named after.
pub(crate) fn require_short_names(layout: &Layout) -> Result<(), FilesError> {
    match layout.topics().iter().find(|topic| file_name(topic).len() > FILE_NAME_MAX) {
        Some(topic) => Err(FilesError::LongName(topic.name.clone())),
        None => Ok(()),
    }
}

/// Refuses a folder that is in use.
///
/// # Errors
/// If it is not empty, or cannot be read.
pub(crate) fn require_empty(folder: &Path) -> Result<(), FilesError> {
    let at_folder = |source| FilesError::File { path: folder.to_owned(), source };
    if folder.exists() && fs::read_dir(folder).map_err(at_folder)?.next().is_some() {
        return Err(FilesError::NotEmpty { path: folder.to_owned() });
    }
    Ok(())
}

/// Writes a folder's `manifest.json` beside its place and moves it there, so that it is never seen half-written.
pub(crate) fn write_manifest(folder: &Path, manifest: &impl Serialize) -> Result<(), FilesError> {
    let (path, beside) = (folder.join(MANIFEST), folder.join(BEGUN));
    write_json(&beside, manifest)?;
    fs::rename(&beside, &path).map_err(|source| FilesError::File { path, source })
}

/// Writes a file of JSON for people.
pub(crate) fn write_json(path: &Path, content: &impl Serialize) -> Result<(), FilesError> {
    let write = || -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(content)?;
        text.push(b'\n');
        fs::write(path, text)
    };
    write().map_err(|source| FilesError::File { path: path.to_owned(), source })
}

/// A file that knows the SHA-256 of what was written to it.
#[derive(Debug)]
pub(crate) struct Hashed {
    file: File,
    bytes: u64,
    hash: Sha256,
}

impl Hashed {
    /// A file that does not exist yet.
    pub(crate) fn create(path: &Path) -> Result<Self, FilesError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|source| FilesError::File { path: path.to_owned(), source })?;
        Ok(Self { file, bytes: 0, hash: Sha256::new() })
    }

    /// How long it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn sha256(&self) -> Digest {
        self.hash.clone().into()
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
