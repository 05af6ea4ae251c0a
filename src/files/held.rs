//! What a folder holds before a run: nothing, exactly what the run would write, or something else.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;
use sha2::Sha256;
use sha2::digest::Digest as _;

use super::error::FilesError;
use super::folder::{BEGUN, ENDING, MANIFEST};
use crate::generator::digest::Digest;
use crate::log::shutdown::Shutdown;

/// What a manifest is asked for, and how a difference is told.
const DIFFERENCES: [(&str, &str); 7] = [
    ("stream_version", "another version of the stream"),
    ("stream_id", "another stream"),
    ("spec", "another stream"),
    ("layout", "other topics or partition counts"),
    ("window", "another window"),
    ("shard", "another shard"),
    ("lines", "another form of lines (with envelopes, or without)"),
];

/// A folder that a run wrote, or began to.
#[derive(Debug)]
pub(crate) struct Held {
    manifest: Value,
    is_finished: bool,
    /// Of its data, without manifests.
    names: Vec<String>,
}

impl Held {
    /// Reads a folder; `None` if it does not exist or is empty.
    ///
    /// # Errors
    /// If it holds anything that no run wrote, whose place is not to be taken.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, FilesError> {
        let entries = entries(folder)?;
        if entries.is_empty() {
            return Ok(None);
        }
        let not_empty = || FilesError::NotEmpty { path: folder.to_owned() };
        let is_finished = entries.contains(MANIFEST);
        let text = fs::read(folder.join(if is_finished { MANIFEST } else { BEGUN })).map_err(|_| not_empty())?;
        let manifest: Value = serde_json::from_slice(&text).map_err(|_| not_empty())?;
        let names = names(&manifest).ok_or_else(not_empty)?;
        let is_foreign = |entry: &&String| ![MANIFEST, BEGUN].contains(&entry.as_str()) && !names.contains(entry);
        // A folder, whatever its name.
        let is_a_folder = |entry: &&String| fs::symlink_metadata(folder.join(entry)).is_ok_and(|entry| entry.is_dir());
        match entries.iter().find(|entry| is_foreign(entry) || is_a_folder(entry)) {
            Some(entry) => Err(FilesError::Foreign { path: folder.to_owned(), entry: entry.clone() }),
            None => Ok(Some(Self { manifest, is_finished, names })),
        }
    }

    /// How many records it holds, if it is what a run would write whose manifest begins with `head`, and each file is as its manifest
    /// says.
    ///
    /// # Errors
    /// What is different, or that a file cannot be read.
    pub(crate) fn require_same(&self, folder: &Path, head: &Value, stop: &Shutdown) -> Result<u64, FilesError> {
        let other = |what: String| Err(FilesError::Other { path: folder.to_owned(), what });
        if !self.is_finished {
            return other("files of a run that was killed".to_owned());
        }
        if let Some((_, what)) = DIFFERENCES.into_iter().find(|&(field, _)| self.manifest.get(field) != head.get(field))
        {
            return other(what.to_owned());
        }
        if self.manifest["complete"] != head["complete"] {
            return other("a window that is not complete".to_owned());
        }
        let mut records = 0;
        for file in self.manifest["files"].as_array().into_iter().flatten() {
            let name = file["name"].as_str().unwrap_or_default();
            if !is_as_described(&folder.join(name), file, stop)? {
                return other(format!("{name}, which is not as its manifest says"));
            }
            records += file["records"].as_u64().unwrap_or_default();
        }
        Ok(records)
    }

    /// Removes what the run wrote. Until all is gone the folder is one that a run began to write.
    pub(crate) fn remove(self, folder: &Path) -> Result<(), FilesError> {
        let at = |name: &str| {
            let path = folder.join(name);
            move |source| FilesError::File { path, source }
        };
        if self.is_finished {
            fs::rename(folder.join(MANIFEST), folder.join(BEGUN)).map_err(at(MANIFEST))?;
        }
        for name in self.names.iter().map(String::as_str).chain([BEGUN]) {
            match fs::remove_file(folder.join(name)) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(at(name)(source)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The names in a folder, in their order.
fn entries(folder: &Path) -> Result<BTreeSet<String>, FilesError> {
    let at_folder = |source| FilesError::File { path: folder.to_owned(), source };
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    fs::read_dir(folder).map_err(at_folder)?.map(name).collect::<io::Result<_>>().map_err(at_folder)
}

/// The files that a run's manifest names; `None` if it is no run's, or names anything outside of its folder.
fn names(manifest: &Value) -> Option<Vec<String>> {
    manifest["stream_id"].as_str()?;
    manifest["lines"].as_str()?;
    let is_plain = |name: &&str| name.ends_with(ENDING) && !name.contains(['/', '\\']);
    let name = |file: &Value| file["name"].as_str().filter(is_plain).map(str::to_owned);
    manifest["files"].as_array()?.iter().map(name).collect()
}

/// Whether a file is as long as its manifest says, and has that digest.
fn is_as_described(path: &Path, described: &Value, stop: &Shutdown) -> Result<bool, FilesError> {
    let failed = |source| FilesError::File { path: path.to_owned(), source };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(failed)?,
    };
    if Some(file.metadata().map_err(failed)?.len()) != described["bytes"].as_u64() {
        return Ok(false);
    }
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        if stop.is_requested() {
            return Err(FilesError::Stopped);
        }
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
    }
    Ok(described["sha256"].as_str() == Some(&Digest::from(hash).to_string()))
}
