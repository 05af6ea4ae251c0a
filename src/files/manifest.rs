//! `manifest.json`: what a folder says of itself, as it is written and as it is read back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::ReadError;
use super::folder::MANIFEST;
use crate::generator::digest::Digest;
use crate::generator::spec::{ByStage, Layout, Partitions, Stage, StreamSpec, Topic};
use crate::generator::stream::{Assignment, Window};
use crate::generator::version::STREAM_VERSION;

/// The parts of `manifest.json` that matter to a reader.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    stream_id: String,
    layout: ByStage<ManifestTopic>,
    window: ManifestWindow,
    complete: bool,
    /// Of a run that owned only some of the partitions.
    shard: Option<String>,
    lines: Lines,
}

#[derive(Debug, Clone, Deserialize)]
struct ManifestTopic {
    partitions: u32,
}

/// The end of an unbounded window is null.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ManifestWindow {
    first_ordinal: u64,
    end_ordinal: Option<u64>,
}

/// What a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Lines {
    /// A bare value.
    Payload,
    /// Topic, partition, key, timestamp, headers, value.
    Envelope,
}

impl Manifest {
    /// Reads a folder's manifest, if it has one.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, ReadError> {
        let path = folder.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ReadError::File { path, source }),
        };
        let refused = |reason: String| ReadError::Manifest { path: path.clone(), reason };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        for topic in manifest.layout.values() {
            Partitions::new(topic.partitions).map_err(|error| refused(error.to_string()))?;
        }
        Ok(Some(manifest))
    }

    /// A layout with the partition counts that the folder was written with.
    pub(crate) fn placed(&self, layout: &Layout) -> Layout {
        let counts = Stage::ALL.map(|stage| {
            let count = Partitions::new(self.layout[stage].partitions);
            count.unwrap_or(layout.topic(stage).partitions)
        });
        layout.with_partitions(counts)
    }

    pub(crate) fn has_envelopes(&self) -> bool {
        self.lines == Lines::Envelope
    }

    /// The stream id that it was written with, as text.
    #[must_use]
    pub fn stream_id(&self) -> &str {
        &self.stream_id
    }

    /// Which of several workers wrote it; `None` if one wrote all.
    #[must_use]
    pub fn shard(&self) -> Option<&str> {
        self.shard.as_deref()
    }

    /// Whether the run came to its window's end. One without an end never does.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The window that it was written for.
    #[must_use]
    pub fn window(&self) -> Window {
        let ManifestWindow { first_ordinal, end_ordinal } = self.window;
        match end_ordinal {
            Some(end) => Window::auctions(first_ordinal, end.saturating_sub(first_ordinal)),
            None => Window::unbounded(first_ordinal),
        }
    }
}

/// The whole file, as it is written.
#[derive(Debug, Serialize)]
pub(crate) struct NewManifest<'a, File> {
    #[serde(flatten)]
    pub(crate) head: ManifestHead<'a>,
    pub(crate) files: ByStage<File>,
}

/// A file that is about to be written.
#[derive(Debug, Serialize)]
pub(crate) struct NamedFile {
    pub(crate) name: String,
}

/// What is known of a folder before its first record. The end of an unbounded window is null.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestHead<'a> {
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
    lines: Lines,
}

impl<'a> ManifestHead<'a> {
    /// What is known of the folder of a stream's assignment.
    pub(crate) fn new(stream: (&'a StreamSpec, &'a Layout), part: &Assignment, envelope: bool, complete: bool) -> Self {
        let (spec, layout) = stream;
        let (window, shard) = (part.window(), part.shard());
        Self {
            stream_version: STREAM_VERSION,
            stream_id: spec.stream_id(),
            spec,
            layout: layout.topics(),
            window: ManifestWindow { first_ordinal: window.start(), end_ordinal: window.end() },
            shard: Some(shard).filter(|shard| !shard.is_whole()).map(|shard| shard.to_string()),
            complete,
            lines: if envelope { Lines::Envelope } else { Lines::Payload },
        }
    }
}

/// A file that is written.
#[derive(Debug, Serialize)]
pub(crate) struct ManifestFile<'a> {
    pub(crate) name: &'a str,
    pub(crate) topic: &'a str,
    pub(crate) stage: Stage,
    pub(crate) records: u64,
    pub(crate) records_by_partition: &'a BTreeMap<u32, u64>,
    pub(crate) bytes: u64,
    pub(crate) sha256: Digest,
}
