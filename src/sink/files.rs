//! A folder: one NDJSON file a topic, and `manifest.json`, written last.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use sha2::Sha256;
use sha2::digest::Digest as _;

use super::{Sink, SinkError};
use crate::digest::Digest;
use crate::record::{Record, envelope};
use crate::spec::{Layout, STREAM_VERSION, Stage, StreamSpec, Topic};
use crate::stream::{Part, Stream};

/// Large enough that the cost of a write does not show.
const BUFFER_BYTES: usize = 64 * 1024;

/// The longest file name that file systems take; Kafka's longest topic name is not much shorter.
const FILE_NAME_MAX: usize = 255;

/// Writes records into a folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    envelope: bool,
    spec: StreamSpec,
    layout: Layout,
    part: Part,
    topics: [NdjsonFile; 4],
}

/// What `manifest.json` holds. The end of an unbounded window is null.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    stream_version: u32,
    stream_id: Digest,
    spec: &'a StreamSpec,
    layout: &'a [Topic; 4],
    window: ManifestWindow,
    /// Where several workers share the partitions: only this one's are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    /// Whether the whole window is here; false after a signal.
    complete: bool,
    /// `payload`: bare values; `envelope`: topic, partition, key, timestamp, headers, value.
    lines: &'static str,
    files: [ManifestFile<'a>; 4],
}

#[derive(Debug, Serialize)]
struct ManifestWindow {
    first_ordinal: u64,
    end_ordinal: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ManifestFile<'a> {
    name: &'a str,
    topic: &'a str,
    stage: Stage,
    records: u64,
    records_by_partition: &'a BTreeMap<u32, u64>,
    bytes: u64,
    sha256: Digest,
}

impl Files {
    /// Refuses a folder that cannot take a layout's files; one that does not exist can.
    ///
    /// # Errors
    /// If it cannot be read, is not empty, or a topic's name is too long for a file.
    pub fn require_room(folder: &Path, layout: &Layout) -> Result<(), SinkError> {
        require_empty(folder, "--out")?;
        match layout.topics().iter().find(|topic| file_name(topic).len() > FILE_NAME_MAX) {
            Some(topic) => Err(SinkError::LongName(topic.name.clone())),
            None => Ok(()),
        }
    }

    /// Creates the folder and its empty files.
    ///
    /// # Errors
    /// If the folder cannot be made or read, or is not empty.
    pub fn create(folder: &Path, envelope: bool, stream: &Stream, part: &Part) -> Result<Self, SinkError> {
        let layout = stream.layout();
        Self::require_room(folder, layout)?;
        fs::create_dir_all(folder).map_err(|source| SinkError::File { path: folder.to_owned(), source })?;
        let create = |stage| NdjsonFile::create(folder, layout.topic(stage));
        let [request, response, impression, click] = Stage::ALL.map(create);
        Ok(Self {
            folder: folder.to_owned(),
            envelope,
            spec: stream.auctions().spec().clone(),
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
        let (window, shard) = (self.part.window(), self.part.shard());
        let manifest = Manifest {
            stream_version: STREAM_VERSION,
            stream_id: self.spec.stream_id(),
            spec: &self.spec,
            layout: self.layout.topics(),
            window: ManifestWindow { first_ordinal: window.start(), end_ordinal: window.end() },
            shard: Some(shard).filter(|shard| !shard.is_whole()).map(|shard| shard.to_string()),
            complete,
            lines: if self.envelope { "envelope" } else { "payload" },
            files: Stage::ALL.map(entry),
        };
        write_manifest(&self.folder, &manifest)
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
    format!("{}.ndjson", topic.name)
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
    let (path, beside) = (folder.join("manifest.json"), folder.join("manifest.json.part"));
    let write = || -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(manifest)?;
        text.push(b'\n');
        fs::write(&beside, text)?;
        fs::rename(&beside, &path)
    };
    write().map_err(|source| SinkError::File { path: path.clone(), source })
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
