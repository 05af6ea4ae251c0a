//! A folder as the sink for files writes it: one file a topic, bare values or envelopes.

mod line;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{LogPlace, Source, SourceError};
use crate::files::{Manifest, ReadError};
use crate::generator::spec::{Layout, Stage};
use crate::log::record::{LogRecord, Parts};

/// A line that is longer is none of ours.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The last records of a file are looked for in its last bytes.
const TAIL_BYTES: u64 = 1024 * 1024;
/// Large enough that the cost of a read does not show.
const BUFFER_BYTES: usize = 256 * 1024;

/// The files of a folder, one log a topic.
#[derive(Debug)]
pub struct Files {
    layout: Layout,
    places: [LogPlace; 4],
    manifest: Option<Manifest>,
    form: Parts,
    logs: [Lines; 4],
}

impl Files {
    /// Opens the files of the layout's topics. A manifest says whether lines are envelopes, and how many partitions the topics
    /// have; without one the first line of all tells.
    ///
    /// # Errors
    /// If a file does not exist or cannot be read, or there is a manifest that is none.
    pub fn open(folder: &Path, layout: &Layout) -> Result<Self, SourceError> {
        let manifest = Manifest::read(folder)?;
        let layout = match &manifest {
            Some(manifest) => manifest.placed(layout),
            None => layout.clone(),
        };
        let open = |stage| Lines::open(folder.join(format!("{}.ndjson", layout.topic(stage).name)));
        let [request, response, impression, click] = Stage::ALL.map(open);
        let mut logs = [request?, response?, impression?, click?];
        let mut places =
            Stage::ALL.map(|stage| LogPlace { stage, partition: None, log_start_offset: None, is_empty: true });
        let mut has_envelopes = None;
        for (stage, (place, lines)) in Stage::ALL.into_iter().zip(places.iter_mut().zip(&mut logs)) {
            let first = lines.first()?;
            place.is_empty = first.is_none();
            let topic = layout.topic(stage).name.as_str();
            has_envelopes = has_envelopes.or_else(|| Some(line::is_envelope(topic, &first?)));
        }
        let has_envelopes = manifest.as_ref().map_or(has_envelopes.unwrap_or_default(), Manifest::has_envelopes);
        let form = if has_envelopes { Parts::All } else { Parts::Value };
        Ok(Self { layout, places, manifest, form, logs })
    }

    /// What the folder says of itself.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Whether lines hold more than values.
    #[must_use]
    pub fn has_envelopes(&self) -> bool {
        self.form == Parts::All
    }

    fn parse(&self, log: usize, offset: i64, line: Vec<u8>, record: &mut LogRecord) {
        record.offset = offset;
        match self.form {
            Parts::All => line::parse(self.layout.topic(Stage::ALL[log]).name.as_str(), line, record),
            form => {
                record.parts = form;
                record.value = Some(line);
            }
        }
    }
}

impl Source for Files {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn logs(&self) -> &[LogPlace] {
        &self.places
    }

    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError> {
        let buffer = record.value.take().unwrap_or_default();
        let Some(line) = self.logs[log].next(buffer)? else { return Ok(false) };
        let number = self.logs[log].number;
        self.parse(log, number, line, record);
        Ok(true)
    }

    fn tails(&mut self, count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError> {
        let mut tails = Vec::new();
        for log in 0..self.logs.len() {
            let lines = self.logs[log].tail(count)?;
            let record = |line| {
                let mut record = LogRecord::default();
                self.parse(log, 0, line, &mut record);
                record
            };
            tails.push(lines.into_iter().map(record).collect());
        }
        Ok(tails)
    }
}

/// The lines of one file.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    /// Of the line read last, from 1.
    number: i64,
}

impl Lines {
    fn open(path: PathBuf) -> Result<Self, ReadError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, reader: BufReader::with_capacity(BUFFER_BYTES, file), number: 0 }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReadError::NoFile(path)),
            Err(source) => Err(ReadError::File { path, source }),
        }
    }

    fn failed(&self) -> impl Fn(io::Error) -> ReadError + '_ {
        |source| ReadError::File { path: self.path.clone(), source }
    }

    /// The first line, which is read again later.
    fn first(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        let first = self.next(Vec::new())?;
        self.number = 0;
        self.reader.rewind().map_err(self.failed())?;
        Ok(first)
    }

    /// The next line without its end, in a buffer that is used again.
    fn next(&mut self, mut line: Vec<u8>) -> Result<Option<Vec<u8>>, ReadError> {
        line.clear();
        self.number += 1;
        let read = (&mut self.reader).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(self.failed())?;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if read as u64 == LINE_BYTES_MAX {
            return Err(ReadError::LongLine { path: self.path.clone(), line: self.number, max: LINE_BYTES_MAX });
        }
        Ok((read > 0).then_some(line))
    }

    /// The last lines, through a second view of the file.
    fn tail(&self, count: usize) -> Result<Vec<Vec<u8>>, ReadError> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(self.failed())?;
        let whole = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let lines = whole.rsplit(|&byte| byte == b'\n').take(count).filter(|line| !line.is_empty());
        let mut lines: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        lines.reverse();
        Ok(lines)
    }
}
