//! Nowhere: for measuring.

use std::thread;
use std::time::Duration;

use super::{Sink, SinkError};
use crate::generator::record::Record;

/// Takes everything and keeps nothing.
#[derive(Debug, Default)]
pub struct Null;

impl Sink for Null {
    fn submit(&mut self, _record: &Record) -> Result<(), SinkError> {
        Ok(())
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        thread::sleep(span);
        Ok(())
    }

    fn close(&mut self, _complete: bool) -> Result<(), SinkError> {
        Ok(())
    }
}
