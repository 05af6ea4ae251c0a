//! Standard output: one envelope a line.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::thread;
use std::time::Duration;

use super::{Sink, SinkError};
use crate::generator::record::{Record, envelope};
use crate::generator::spec::Layout;

/// Large enough that the cost of a write does not show.
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes envelopes to standard output.
#[derive(Debug)]
pub struct Stdout {
    layout: Layout,
    out: BufWriter<io::Stdout>,
}

impl Stdout {
    /// A sink for records of this layout.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self { layout: layout.clone(), out: BufWriter::with_capacity(BUFFER_BYTES, io::stdout()) }
    }
}

impl Sink for Stdout {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        envelope::write(&mut self.out, &self.layout.topic(record.stage).name, record).map_err(error)
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.out.flush().map_err(error)?;
        thread::sleep(span);
        Ok(())
    }

    fn close(&mut self, _complete: bool) -> Result<(), SinkError> {
        self.out.flush().map_err(error)
    }
}

fn error(source: io::Error) -> SinkError {
    if source.kind() == ErrorKind::BrokenPipe { SinkError::ReaderGone } else { SinkError::Stdout(source) }
}
