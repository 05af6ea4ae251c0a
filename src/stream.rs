//! The stream: windows of it as records, in the total order (emit time, ordinal, stage, copy).
//!
//! ```text
//! Auctions::plan ──> due records, a heap ──> Auctions::at ──> Json ──> Record
//! ```
//!
//! ```
//! use mock_data_gen::spec::{Layout, Stage, StreamSpec};
//! use mock_data_gen::stream::{Stream, Window};
//!
//! let stream = Stream::new(&StreamSpec::default(), &Layout::default());
//! let records: Vec<_> = stream.records(Window::auctions(0, 3)).collect();
//! assert_eq!(records[0].stage, Stage::Request);
//! assert_eq!(records[0].key, b"63e8dea2-cc50-59e5-b81c-9da9621276bd");
//! ```

mod window;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

pub use self::window::{Window, WindowEnd, WindowError};
use crate::auction::{Auctions, Plan};
use crate::encode::Json;
use crate::record::{HEADER_NAMES, Header, Record, key_kind, partition};
use crate::spec::{Layout, Stage, StreamSpec};

/// A stream made ready: position-addressed, immutable, safe to share between threads.
#[derive(Debug, Clone)]
pub struct Stream {
    auctions: Auctions,
    layout: Layout,
    json: Json,
    id: String,
}

impl Stream {
    /// Makes the stream of a spec ready, to be placed by a layout.
    #[must_use]
    pub fn new(spec: &StreamSpec, layout: &Layout) -> Self {
        let auctions = Auctions::new(spec);
        Self { json: Json::new(auctions.ids()), auctions, layout: layout.clone(), id: spec.stream_id().to_string() }
    }

    /// Its auctions.
    #[must_use]
    pub fn auctions(&self) -> &Auctions {
        &self.auctions
    }

    /// Its layout.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The records of a window, in order. Starting costs the same at any ordinal; memory is bounded by rate × largest lag.
    #[must_use]
    pub fn records(&self, window: Window) -> Records<'_> {
        let end = window.end().unwrap_or(u64::MAX).min(self.auctions.clock().auctions());
        let next = (window.start() < end).then(|| self.auctions.plan(window.start()));
        Records { stream: self, next, end, due: BinaryHeap::new() }
    }

    /// Fills `record` with the record of a stage of a planned auction.
    fn fill(&self, due: &Due, record: &mut Record) {
        let Due { emit_ms, ordinal, stage, copy } = *due;
        let auction = self.auctions.at(ordinal);
        let spec = self.auctions.spec();
        record.ordinal = ordinal;
        record.stage = stage;
        record.copy = copy;
        record.emit_ms = emit_ms;
        record.timestamp_ms = auction.plan.event_ms(stage).unwrap_or(emit_ms);
        let id = self.auctions.ids().id(key_kind(spec.key_by, stage), ordinal);
        record.key.clear();
        record.key.extend_from_slice(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()).as_bytes());
        record.partition = partition(&record.key, self.layout.topic(stage).partitions);
        record.headers.clear();
        if spec.headers {
            let values = [self.id.clone(), ordinal.to_string(), stage.to_string(), copy.to_string()];
            record.headers.extend(HEADER_NAMES.into_iter().zip(values).map(|(name, value)| Header { name, value }));
        }
        record.value.clear();
        let exists = self.json.encode(&auction, stage, &mut record.value);
        debug_assert!(exists, "auction {ordinal} has no {stage}");
    }
}

/// A record that is due; its fields in the total order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    emit_ms: i64,
    ordinal: u64,
    stage: Stage,
    copy: u32,
}

/// A cursor over the records of a window, in the total order.
///
/// As an iterator it gives each record in buffers of its own; [`Records::next_into`] reuses one record's buffers.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    stream: &'a Stream,
    /// The first auction whose records are not in `due`.
    next: Option<Plan>,
    end: u64,
    due: BinaryHeap<Reverse<Due>>,
}

impl Records<'_> {
    /// Fills `record` with the next record; false when the window is complete.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        self.admit();
        let Some(Reverse(due)) = self.due.pop() else { return false };
        self.stream.fill(&due, record);
        true
    }

    /// Moves into the heap every auction that could have the next record: all that arrive no later than its head is due.
    fn admit(&mut self) {
        while let Some(plan) = self.next {
            if self.due.peek().is_some_and(|Reverse(head)| head.emit_ms < plan.request_ms) {
                break;
            }
            let due =
                |stage| plan.event_ms(stage).map(|emit_ms| Due { emit_ms, ordinal: plan.ordinal, stage, copy: 0 });
            self.due.extend(Stage::ALL.into_iter().filter_map(due).map(Reverse));
            let following = plan.ordinal + 1;
            self.next = (following < self.end).then(|| self.stream.auctions.plan(following));
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}
