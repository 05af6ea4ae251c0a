//! A folder: one NDJSON file a topic, and `manifest.json`, written last.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::{Sink, SinkError};
use crate::files::{
    BEGUN, FilesError, Hashed, Held, ManifestFile, ManifestHead, NamedFile, NewManifest, file_name, require_empty,
    require_short_names, write_json, write_manifest,
};
use crate::generator::record::{Record, envelope};
use crate::generator::spec::{ByStage, Layout, Stage, StreamSpec, Topic};
use crate::generator::stream::{Assignment, Stream};
use crate::log::shutdown::Shutdown;

/// Large enough that the cost of a write does not show.
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes records into a folder.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    envelope: bool,
    spec: StreamSpec,
    layout: Layout,
    part: Assignment,
    topics: ByStage<NdjsonFile>,
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
    ) -> Result<Option<u64>, FilesError> {
        require_short_names(stream.layout())?;
        let Some(held) = Held::read(folder)? else { return Ok(None) };
        let wanted = ManifestHead::new((stream.auctions().spec(), stream.layout()), part, envelope, true);
        let wanted = serde_json::to_value(&wanted).unwrap_or(Value::Null);
        held.require_same(folder, &wanted, stop).map(Some)
    }

    /// Refuses a folder whose place may not be taken: one that holds what no run wrote.
    ///
    /// # Errors
    /// If it is such a one or cannot be read, or a topic's name is too long for a file.
    pub fn require_replaceable(folder: &Path, layout: &Layout) -> Result<(), FilesError> {
        require_short_names(layout)?;
        Held::read(folder).map(drop)
    }

    /// Removes what an earlier run wrote into a folder, and begins anew there.
    ///
    /// # Errors
    /// If it holds what no run wrote, or the folder cannot be read or written.
    pub fn replace(folder: &Path, envelope: bool, stream: &Stream, part: &Assignment) -> Result<Self, FilesError> {
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
    pub fn create(folder: &Path, envelope: bool, stream: &Stream, part: &Assignment) -> Result<Self, FilesError> {
        let layout = stream.layout();
        require_short_names(layout)?;
        require_empty(folder)?;
        fs::create_dir_all(folder).map_err(|source| FilesError::File { path: folder.to_owned(), source })?;
        // What a killed run leaves is known to be a run's: the files are named before they are there.
        let spec = stream.auctions().spec();
        let named = |stage| NamedFile { name: file_name(layout.topic(stage)) };
        let head = ManifestHead::new((spec, layout), part, envelope, false);
        write_json(&folder.join(BEGUN), &NewManifest { head, files: ByStage::from_fn(named) })?;
        let create = |stage| NdjsonFile::create(folder, layout.topic(stage));
        let [request, response, impression, click] = Stage::ALL.map(create);
        Ok(Self {
            folder: folder.to_owned(),
            envelope,
            spec: spec.clone(),
            layout: layout.clone(),
            part: part.clone(),
            topics: [request?, response?, impression?, click?].into(),
        })
    }

    fn flush(&mut self) -> Result<(), FilesError> {
        for file in self.topics.values_mut() {
            file.out.flush().map_err(|source| FilesError::File { path: file.path.clone(), source })?;
        }
        Ok(())
    }

    fn write_manifest(&self, complete: bool) -> Result<(), FilesError> {
        let entry = |stage: Stage| self.topics[stage].manifest(stage, self.layout.topic(stage));
        let head = ManifestHead::new((&self.spec, &self.layout), &self.part, self.envelope, complete);
        write_manifest(&self.folder, &NewManifest { head, files: ByStage::from_fn(entry) })
    }
}

impl Sink for Files {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        let file = &mut self.topics[record.stage];
        let topic = self.envelope.then(|| &self.layout.topic(record.stage).name);
        let written = match topic {
            Some(topic) => envelope::write(&mut file.out, topic, record),
            None => file.out.write_all(&record.value).and_then(|()| file.out.write_all(b"\n")),
        };
        written.map_err(|source| FilesError::File { path: file.path.clone(), source })?;
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
        Ok(self.write_manifest(complete)?)
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
    fn create(folder: &Path, topic: &Topic) -> Result<Self, FilesError> {
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
