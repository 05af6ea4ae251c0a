//! The folder of a key: one thread writes all its files and computes their SHA-256, so that whoever makes rows need not wait.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use serde_json::Value;

use crate::files::{BEGUN, FilesError, Hashed, MANIFEST, require_empty};
use crate::generator::digest::Digest;

/// Large enough that the cost of a write does not show.
const CHUNK_BYTES: usize = 64 * 1024;
/// So many chunks may wait to be written.
const CHUNKS_WAITING: usize = 32;

/// Where a key is written.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: usize,
    sender: SyncSender<Message>,
    writer: JoinHandle<Result<Vec<WrittenFile>, FilesError>>,
}

#[derive(Debug)]
enum Message {
    /// The next file, and where it is.
    File(PathBuf, Hashed),
    /// The next bytes of a file.
    Chunk(usize, Vec<u8>),
}

/// A file's end, into which is written.
#[derive(Debug)]
pub(super) struct Out {
    file: usize,
    chunk: Vec<u8>,
    sender: SyncSender<Message>,
}

/// A file that is whole.
#[derive(Debug, Clone, Serialize)]
pub(super) struct WrittenFile {
    name: String,
    bytes: u64,
    sha256: Digest,
}

/// Whether a folder holds a key that was begun and not finished, and nothing else.
pub(super) fn is_unfinished(path: &Path) -> bool {
    path.join(BEGUN).exists() && holds_only(path, |name| name == BEGUN || is_of_a_table(name))
}

/// Whether a folder holds a whole key, and nothing but the files that its manifest names.
fn is_whole(path: &Path) -> bool {
    let text = fs::read(path.join(MANIFEST)).unwrap_or_default();
    let Ok(manifest) = serde_json::from_slice::<Value>(&text) else { return false };
    let (true, Some(tables)) = (manifest["stream_id"].is_string(), manifest["tables"].as_array()) else { return false };
    let files = tables.iter().filter_map(|table| table["files"].as_array()).flatten();
    let names: Vec<&str> = files.filter_map(|file| file["name"].as_str()).collect();
    holds_only(path, |name| [MANIFEST, BEGUN].contains(&name) || (is_of_a_table(name) && names.contains(&name)))
}

/// Whether a folder's key, whole or not, may be replaced: it holds nothing else.
pub(super) fn is_replaceable(path: &Path) -> bool {
    is_unfinished(path) || is_whole(path)
}

/// Removes a key. Until all is gone it is one that was begun and not finished.
pub(super) fn remove(path: &Path) -> Result<(), FilesError> {
    if is_whole(path) {
        let manifest = path.join(MANIFEST);
        fs::rename(&manifest, path.join(BEGUN)).map_err(|source| FilesError::File { path: manifest, source })?;
    }
    if is_unfinished(path) { remove_files(path) } else { Ok(()) }
}

fn is_of_a_table(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((stem, "ndjson" | "csv")) => {
            ["funnel", "ledger"].contains(&stem) || stem.starts_with("join_") || stem.starts_with("windows_")
        }
        _ => false,
    }
}

/// Whether a folder's entries are all files of such names.
fn holds_only(path: &Path, is_ours: impl Fn(&str) -> bool) -> bool {
    let is_ours = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| {
            entry.file_type().is_ok_and(|kind| kind.is_file()) && entry.file_name().to_str().is_some_and(&is_ours)
        })
    };
    fs::read_dir(path).is_ok_and(|mut entries| entries.all(is_ours))
}

/// Removes the tables, then the manifest that was begun.
fn remove_files(folder: &Path) -> Result<(), FilesError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| FilesError::File { path, source }
    };
    let begun = folder.join(BEGUN);
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path != begun {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    fs::remove_file(&begun).map_err(at(&begun))
}

impl Folder {
    /// A folder that is new or empty, or has an unfinished key, which is removed.
    pub(super) fn create(path: &Path) -> Result<Self, FilesError> {
        if is_unfinished(path) {
            remove_files(path)?;
        }
        require_empty(path)?;
        fs::create_dir_all(path).map_err(|source| FilesError::File { path: path.to_owned(), source })?;
        let begun = path.join(BEGUN);
        fs::write(&begun, "").map_err(|source| FilesError::File { path: begun, source })?;
        let (sender, receiver) = sync_channel(CHUNKS_WAITING);
        let writer = thread::spawn(move || write(&receiver));
        Ok(Self { path: path.to_owned(), files: 0, sender, writer })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn create_file(&mut self, name: String) -> Result<Out, FilesError> {
        let path = self.path.join(name);
        let file = Hashed::create(&path)?;
        let out = Out { file: self.files, chunk: Vec::with_capacity(CHUNK_BYTES), sender: self.sender.clone() };
        out.send(Message::File(path, file))?;
        self.files += 1;
        Ok(out)
    }

    /// Waits until all files are written, in the order in which they were created. Why one could not be written is said here.
    pub(super) fn close(self) -> Result<Vec<WrittenFile>, FilesError> {
        drop(self.sender);
        self.writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Out {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), FilesError> {
        if self.chunk.len() + bytes.len() > CHUNK_BYTES {
            let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
            self.send(Message::Chunk(self.file, chunk))?;
        }
        self.chunk.extend_from_slice(bytes);
        Ok(())
    }

    /// Sends what is left, and says which file it was.
    pub(super) fn close(mut self) -> Result<usize, FilesError> {
        let chunk = std::mem::take(&mut self.chunk);
        self.send(Message::Chunk(self.file, chunk))?;
        Ok(self.file)
    }

    /// [`FilesError::Stopped`] if the writer has ended, which is for a reason that it tells when the folder is closed.
    fn send(&self, message: Message) -> Result<(), FilesError> {
        self.sender.send(message).map_err(|_| FilesError::Stopped)
    }
}

/// Writes what comes until nobody can send any more.
fn write(receiver: &Receiver<Message>) -> Result<Vec<WrittenFile>, FilesError> {
    let mut files: Vec<(PathBuf, Hashed)> = Vec::new();
    for message in receiver {
        match message {
            Message::File(path, file) => files.push((path, file)),
            Message::Chunk(file, bytes) => {
                let (path, file) = &mut files[file];
                file.write_all(&bytes).map_err(|source| FilesError::File { path: path.clone(), source })?;
            }
        }
    }
    let written = |(path, file): (PathBuf, Hashed)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        WrittenFile { name, bytes: file.bytes(), sha256: file.sha256() }
    };
    Ok(files.into_iter().map(written).collect())
}
