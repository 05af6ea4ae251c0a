//! Who is told what a run does.

use std::path::Path;
use std::sync::Arc;

use super::error::ReportError;
use super::report::Report;
use crate::answer_key::TableCount;
use crate::generator::digest::Digest;
use crate::generator::spec::TopicName;
use crate::generator::stream::{Stream, Window};
use crate::generator::timestamp::Timestamp;
use crate::log::heading::Heading;
use crate::metrics::Metrics;

/// What is told of a run while it goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// What bounds the window, where nobody said it.
    Chosen(&'a str),
    /// What is about to be played.
    Begins(&'a Heading),
    /// Nothing moves before the window starts.
    StartsLater {
        /// In how many seconds that is.
        ahead_s: i64,
        /// When.
        start: Timestamp,
    },
    /// The broker inside this process is up.
    EmbeddedBroker(&'a str),
    /// A topic was created.
    CreatedTopic(&'a TopicName),
    /// A topic is about to be deleted.
    DeletingTopic {
        /// Which.
        topic: &'a TopicName,
        /// How many offsets it holds.
        offsets: u64,
    },
    /// The answer key is there already.
    KeyIsThere(&'a Path),
    /// The answer key is written.
    KeyWritten(&'a [TableCount], &'a Path),
    /// What was written was read back.
    ReadBack {
        /// How many records were found.
        records: u64,
        /// Their fingerprint.
        fingerprint: Digest,
        /// Whether they are what was sent.
        equal: bool,
    },
    /// A signal came before all of it was read back.
    NotReadBack,
    /// The first auction that was clicked, if any was.
    FirstFunnel(&'a Stream, u64),
}

/// Something that is shown until it is dropped.
pub trait Shown {}

/// A bar that moves, to each ordinal that it is told.
pub trait Bar {
    /// An auction is through.
    fn at(&mut self, ordinal: u64);
}

/// Who is told what a run does. Nothing that it does changes a record.
pub trait Observer {
    /// Is told of something.
    fn notice(&self, notice: Notice<'_>);

    /// Is given the report.
    ///
    /// # Errors
    /// If it cannot be given on.
    fn report(&self, report: &Report) -> Result<(), ReportError>;

    /// Is told that all is there already.
    ///
    /// # Errors
    /// If the report cannot be given on.
    fn nothing_to_do(&self, heading: &Heading, report: &Report) -> Result<(), ReportError>;

    /// Is told that the embedded broker is held for its readers.
    ///
    /// # Errors
    /// If that cannot be told.
    fn holding(&self, address: &str) -> Result<(), ReportError>;

    /// Shows how far a run is, as its counters say, until what it gives back is dropped.
    fn status(&self, window: Window, acknowledges: bool, metrics: &Arc<Metrics>) -> Option<Box<dyn Shown>>;

    /// Shows how far the answer key of a window is, until that is dropped.
    fn key_progress(&self, window: Window) -> Option<Box<dyn Bar>>;

    /// The command that verifies a window of what is written, if somebody can.
    fn verify_command(&self, stream: &Stream, window: Window) -> Option<String>;
}
