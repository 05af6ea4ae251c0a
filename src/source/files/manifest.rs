//! What a folder says of itself.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::SourceError;
use crate::generator::spec::{Layout, Partitions, Stage};
use crate::generator::stream::Window;

/// The parts of `manifest.json` that matter to a reader.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    stream_id: String,
    layout: [ManifestTopic; 4],
    window: ManifestWindow,
    complete: bool,
    /// Of a run that owned only some of the partitions.
    shard: Option<String>,
    lines: Form,
}

#[derive(Debug, Clone, Deserialize)]
struct ManifestTopic {
    partitions: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct ManifestWindow {
    first_ordinal: u64,
    end_ordinal: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Payload,
    Envelope,
}

impl Manifest {
    /// Reads a folder's manifest, if it has one.
    ///
    /// # Errors
    /// If it cannot be read, or is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, SourceError> {
        let path = folder.join("manifest.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SourceError::File { path, source }),
        };
        let refused = |reason: String| SourceError::Manifest { path: path.clone(), reason };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| refused(error.to_string()))?;
        for topic in &manifest.layout {
            Partitions::new(topic.partitions).map_err(|error| refused(error.to_string()))?;
        }
        Ok(Some(manifest))
    }

    /// A layout with the partition counts that the folder was written with.
    pub(super) fn placed(&self, layout: &Layout) -> Layout {
        let counts = Stage::ALL.map(|stage| {
            let count = Partitions::new(self.layout[stage.index()].partitions);
            count.unwrap_or(layout.topic(stage).partitions)
        });
        layout.with_partitions(counts)
    }

    pub(super) fn has_envelopes(&self) -> bool {
        self.lines == Form::Envelope
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
