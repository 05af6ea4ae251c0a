//! A folder: one NDJSON file a topic, and `manifest.json`, written last.

mod held;
mod manifest;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sha2::Sha256;
use sha2::digest::Digest as _;

use self::held::Held;
use self::manifest::{Head, Manifest, ManifestFile, Named};
use super::{Sink, SinkError};
use crate::generator::digest::Digest;
use crate::generator::record::{Record, envelope};
use crate::generator::spec::{Layout, Stage, StreamSpec, Topic};
use crate::generator::stream::{Assignment, Stream};
use crate::log::shutdown::Shutdown;

/// Large enough that the cost of a write does not show.
const BUFFER_BYTES: usize = 64 * 1024;

/// The longest file name that file systems take; Kafka's longest topic name is not much shorter.
const FILE_NAME_MAX: usize = 255;
/// What a topic's file name ends with.
const ENDING: &str = ".ndjson";

/// What a folder says of itself.
pub(crate) const MANIFEST: &str = "manifest.json";
/// What is there until a folder is whole: the manifest of a run that has written nothing yet.
const BEGUN: &str = "manifest.json.part";

/// Writes records into a folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    envelope: bool,
    spec: StreamSpec,
    layout: Layout,
    part: Assignment,
    topics: [NdjsonFile; 4],
}

impl Files {
    /// How many records a folder holds that has exactly what a run would write: a complete window, each file as its manifest says.
    /// `None` if the folder is new or empty.
    ///
    /// # Errors
    /// If it holds anything else, cannot be read, a topic's name is too long for a file, or a signal asks to stop.
    pub fn held(
        folder: &Path,
        envelope: bool,
        stream: &Stream,
        part: &Assignment,
        stop: &Shutdown,
    ) -> Result<Option<u64>, SinkError> {
        require_short_names(stream.layout())?;
        let Some(held) = Held::read(folder)? else { return Ok(None) };
        let wanted = Head::new((stream.auctions().spec(), stream.layout()), part, envelope, true);
        let wanted = serde_json::to_value(&wanted).unwrap_or(Value::Null);
        held.require_same(folder, &wanted, stop).map(Some)
    }

    /// Refuses a folder whose place may not be taken: one that holds what no run wrote.
    ///
    /// # Errors
    /// If it is such a one or cannot be read, or a topic's name is too long for a file.
    pub fn require_replaceable(folder: &Path, layout: &Layout) -> Result<(), SinkError> {
        require_short_names(layout)?;
        Held::read(folder).map(drop)
    }

    /// Removes what an earlier run wrote into a folder, and begins anew there.
    ///
    /// # Errors
    /// If it holds what no run wrote, or the folder cannot be read or written.
    pub fn replace(folder: &Path, envelope: bool, stream: &Stream, part: &Assignment) -> Result<Self, SinkError> {
        require_short_names(stream.layout())?;
        if let Some(held) = Held::read(folder)? {
            held.remove(folder)?;
        }
        Self::create(folder, envelope, stream, part)
    }

    /// Creates the folder and its empty files.
    ///
    /// # Errors
    /// If the folder cannot be made or read, or is not empty.
    pub fn create(folder: &Path, envelope: bool, stream: &Stream, part: &Assignment) -> Result<Self, SinkError> {
        let layout = stream.layout();
        require_short_names(layout)?;
        require_empty(folder, "--out")?;
        fs::create_dir_all(folder).map_err(|source| SinkError::File { path: folder.to_owned(), source })?;
        // What a killed run leaves is known to be a run's: the files are named before they are there.
        let spec = stream.auctions().spec();
        let named = |stage| Named { name: file_name(layout.topic(stage)) };
        let head = Head::new((spec, layout), part, envelope, false);
        write_json(&folder.join(BEGUN), &Manifest { head, files: Stage::ALL.map(named) })?;
        let create = |stage| NdjsonFile::create(folder, layout.topic(stage));
        let [request, response, impression, click] = Stage::ALL.map(create);
        Ok(Self {
            folder: folder.to_owned(),
            envelope,
            spec: spec.clone(),
            layout: layout.clone(),
            part: part.clone(),
            topics: [request?, response?, impression?, click?],
        })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        for file in &mut self.topics {
            file.out.flush().map_err(|source| SinkError::File { path: file.path.clone(), source })?;
        }
        Ok(())
    }

    fn write_manifest(&self, complete: bool) -> Result<(), SinkError> {
        let entry = |stage: Stage| self.topics[stage.index()].manifest(stage, self.layout.topic(stage));
        let head = Head::new((&self.spec, &self.layout), &self.part, self.envelope, complete);
        write_manifest(&self.folder, &Manifest { head, files: Stage::ALL.map(entry) })
    }
}

impl Sink for Files {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        let file = &mut self.topics[record.stage.index()];
        let topic = self.envelope.then(|| &self.layout.topic(record.stage).name);
        let written = match topic {
            Some(topic) => envelope::write(&mut file.out, topic, record),
            None => file.out.write_all(&record.value).and_then(|()| file.out.write_all(b"\n")),
        };
        written.map_err(|source| SinkError::File { path: file.path.clone(), source })?;
        file.records += 1;
        *file.records_by_partition.entry(record.partition).or_default() += 1;
        Ok(())
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.flush()?;
        thread::sleep(span);
        Ok(())
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        self.flush()?;
        self.write_manifest(complete)
    }
}

fn file_name(topic: &Topic) -> String {
    format!("{}{ENDING}", topic.name)
}

/// Refuses topics that no file can be named after.
fn require_short_names(layout: &Layout) -> Result<(), SinkError> {
    match layout.topics().iter().find(|topic| file_name(topic).len() > FILE_NAME_MAX) {
        Some(topic) => Err(SinkError::LongName(topic.name.clone())),
        None => Ok(()),
    }
}

/// A file of lines and what the manifest says of it.
#[derive(Debug)]
struct NdjsonFile {
    name: String,
    path: PathBuf,
    out: BufWriter<Hashed>,
    records: u64,
    records_by_partition: BTreeMap<u32, u64>,
}

impl NdjsonFile {
    fn create(folder: &Path, topic: &Topic) -> Result<Self, SinkError> {
        let name = file_name(topic);
        let path = folder.join(&name);
        let out = BufWriter::with_capacity(BUFFER_BYTES, Hashed::create(&path)?);
        Ok(Self { name, path, out, records: 0, records_by_partition: BTreeMap::new() })
    }

    fn manifest<'a>(&'a self, stage: Stage, topic: &'a Topic) -> ManifestFile<'a> {
        ManifestFile {
            name: &self.name,
            topic: topic.name.as_str(),
            stage,
            records: self.records,
            records_by_partition: &self.records_by_partition,
            bytes: self.out.get_ref().bytes(),
            sha256: self.out.get_ref().sha256(),
        }
    }
}

/// Refuses a folder that is in use.
///
/// # Errors
/// If it is not empty, or cannot be read.
pub fn require_empty(folder: &Path, option: &'static str) -> Result<(), SinkError> {
    let at_folder = |source| SinkError::File { path: folder.to_owned(), source };
    if folder.exists() && fs::read_dir(folder).map_err(at_folder)?.next().is_some() {
        return Err(SinkError::NotEmpty { path: folder.to_owned(), option });
    }
    Ok(())
}

/// Writes a folder's `manifest.json` beside its place and moves it there, so that it is never seen half-written.
pub(crate) fn write_manifest(folder: &Path, manifest: &impl Serialize) -> Result<(), SinkError> {
    let (path, beside) = (folder.join(MANIFEST), folder.join(BEGUN));
    write_json(&beside, manifest)?;
    fs::rename(&beside, &path).map_err(|source| SinkError::File { path, source })
}

fn write_json(path: &Path, content: &impl Serialize) -> Result<(), SinkError> {
    let write = || -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(content)?;
        text.push(b'\n');
        fs::write(path, text)
    };
    write().map_err(|source| SinkError::File { path: path.to_owned(), source })
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
    pub(crate) fn create(path: &Path) -> Result<Self, SinkError> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|source| SinkError::File { path: path.to_owned(), source })?;
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
