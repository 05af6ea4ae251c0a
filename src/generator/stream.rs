//! The stream: windows of it as records, in the total order (emit time, ordinal, stage, copy).
//!
//! ```text
//! Plans ──> EmitQueue: due positions, a heap ──> Batch: keys, partitions, words, ids ──> JsonEncoder ──> Record
//! ```
//!
//! Plans are drawn ahead, several side by side. A walk that emits nothing stays with positions. What is emitted is made ready by the
//! batch; [`Stream::fill`] makes one record by itself, and is the definition of what a batch makes.
//!
//! ```
//! use mock_data_gen::generator::spec::{Layout, Stage, StreamSpec};
//! use mock_data_gen::generator::stream::{Stream, Window};
//!
//! let stream = Stream::new(&StreamSpec::default(), &Layout::default());
//! let records: Vec<_> = stream.records(Window::auctions(0, 3)).collect();
//! assert_eq!(records[0].stage, Stage::Request);
//! assert_eq!(records[0].key, b"63e8dea2-cc50-59e5-b81c-9da9621276bd");
//! ```

pub mod parallel;

mod assignment;
mod batch;
mod emit_queue;
mod plans;
mod position;
mod progress;
mod record_builder;
mod records;
mod shard;
mod window;

use uuid::Uuid;

pub use self::assignment::Assignment;
pub use self::batch::KeyedPosition;
#[cfg(feature = "verify")]
pub(crate) use self::plans::Plans;
pub use self::position::{Position, Positions};
use self::position::{locate, positions_of};
pub use self::progress::{Progress, ProgressError};
use self::record_builder::RecordBuilder;
pub use self::records::{AssignedRecords, KeyedPositions, Records, Step};
pub use self::shard::{Shard, ShardError};
pub use self::window::{Window, WindowEnd, WindowError};
use crate::generator::auction::{Auctions, CopyKind, Plan};
use crate::generator::record::{Record, key_name};
use crate::generator::spec::{KeyBy, Layout, Rate, Stage, StreamSpec};

/// A stream made ready: position-addressed, immutable, safe to share between threads.
#[derive(Debug, Clone)]
pub struct Stream {
    builder: RecordBuilder,
}

impl Stream {
    /// Makes the stream of a spec ready, to be placed by a layout.
    #[must_use]
    pub fn new(spec: &StreamSpec, layout: &Layout) -> Self {
        Self { builder: RecordBuilder::new(spec, layout) }
    }

    /// Its auctions.
    #[must_use]
    pub fn auctions(&self) -> &Auctions {
        self.builder.auctions()
    }

    /// Its layout.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        self.builder.layout()
    }

    /// The records of a window, in order. Starting costs the same at any ordinal; memory is bounded by rate × largest lag.
    #[must_use]
    pub fn records(&self, window: Window) -> Records<'_> {
        self.records_of(window.start(), window)
    }

    /// The records of a window from a position on, in order: the same as those of [`Stream::records`] without the ones before.
    /// It looks back by the largest lag, so starting costs the same at any position.
    #[must_use]
    pub fn records_from(&self, window: Window, position: Position) -> Records<'_> {
        let look_back_ms = position.emit_ms.saturating_sub(self.auctions().spec().lag_ms_max());
        let start = self.auctions().first_from_ms(look_back_ms).max(window.start());
        let mut records = self.records_of(start, window);
        while records.peek_position().is_some_and(|next| next < position) {
            records.next_position();
        }
        records
    }

    /// The positions of a window's records, in order, each with its key and partition: about a third of the work of making the records.
    ///
    /// ```
    /// use mock_data_gen::generator::spec::{Layout, StreamSpec};
    /// use mock_data_gen::generator::stream::{Stream, Window};
    ///
    /// let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    /// let first = stream.keyed_positions(Window::auctions(0, 3)).next().unwrap();
    /// assert_eq!(&first.key, b"63e8dea2-cc50-59e5-b81c-9da9621276bd");
    /// assert_eq!((first.position.ordinal, first.partition), (0, 4));
    /// ```
    #[must_use]
    pub fn keyed_positions(&self, window: Window) -> KeyedPositions<'_> {
        let end = window.end().unwrap_or(u64::MAX).min(self.auctions().clock().auctions());
        KeyedPositions::new(&self.builder, window.start(), end)
    }

    fn records_of(&self, start: u64, window: Window) -> Records<'_> {
        let end = window.end().unwrap_or(u64::MAX).min(self.auctions().clock().auctions());
        Records::new(&self.builder, start, end)
    }

    /// The records of an assignment, in order.
    #[must_use]
    pub fn assigned_records<'a>(&'a self, assignment: &'a Assignment) -> AssignedRecords<'a> {
        let least_held = assignment.least_held(self.layout());
        let happens = |&stage: &Stage| self.happens(stage);
        let owned = |&stage: &Stage| assignment.shard().owns_any_of(self.layout().topic(stage));
        let stages = Stage::ALL.into_iter().filter(happens).filter(owned);
        let least = stages.map(|stage| least_held[stage.index()]).min().flatten();
        let records = match least {
            Some(position) => self.records_from(assignment.window(), position),
            None => self.records(assignment.window()),
        };
        AssignedRecords::new(records, assignment, least_held)
    }

    /// The records of an assignment of which nothing is held, from a position on, in order.
    #[must_use]
    pub fn assigned_records_from<'a>(&'a self, assignment: &'a Assignment, position: Position) -> AssignedRecords<'a> {
        AssignedRecords::new(self.records_from(assignment.window(), position), assignment, [None; 4])
    }

    /// Whether the spec lets a stage have records at all.
    pub(crate) fn happens(&self, stage: Stage) -> bool {
        let spec = self.auctions().spec();
        let rates = [spec.bid_response_rate, spec.win_rate, spec.click_rate];
        let faults = &spec.faults;
        let extras = [faults.malformed, faults.invalid, faults.tombstones];
        let are_all_dropped = stage != Stage::Click && faults.orphans == Rate::ALWAYS;
        rates[..stage.index()].iter().all(|rate| *rate != Rate::NEVER)
            && (!are_all_dropped || extras.iter().any(|rate| *rate != Rate::NEVER))
    }

    /// The key of the record at a position, as text.
    #[must_use]
    pub fn key(&self, position: Position) -> [u8; 36] {
        self.builder.key(position)
    }

    /// The partition of the record at a position.
    #[must_use]
    pub fn partition(&self, position: Position) -> u32 {
        self.partition_of_key(position.stage, &self.key(position))
    }

    /// The partition of a key in the topic of a stage.
    #[must_use]
    pub fn partition_of_key(&self, stage: Stage, key: &[u8]) -> u32 {
        self.builder.partition_of_key(stage, key)
    }

    /// Fills `record` with the record at a position of this stream.
    pub fn fill(&self, position: Position, record: &mut Record) {
        self.builder.fill(position, record);
    }

    /// The position of an auction's own record of a stage; `None` if the stage does not happen, its record is dropped, or the stream ends
    /// before the auction.
    #[must_use]
    pub fn position(&self, stage: Stage, ordinal: u64) -> Option<Position> {
        let own = |position: &Position| position.stage == stage && position.copy == CopyKind::Event.copy();
        self.positions_of_auction(ordinal).into_iter().find(own)
    }

    /// The positions of all records of an auction, by stage and copy; none if the stream ends before it.
    #[must_use]
    pub fn positions_of_auction(&self, ordinal: u64) -> Vec<Position> {
        let auctions = self.auctions();
        if ordinal >= auctions.clock().auctions() {
            return Vec::new();
        }
        let plan = auctions.plan(ordinal);
        positions_of(&plan, auctions.planned_faults_if_any(&plan).as_ref()).collect()
    }

    /// The positions of one stage's records in a window, in order. It draws plans and faults, and nothing else.
    #[must_use]
    pub fn positions(&self, stage: Stage, window: Window) -> Positions<'_> {
        Positions::new(self.auctions(), stage, window)
    }

    /// The positions of the records of a stage that carry this timestamp and key: one, or none, but where planned faults repeat a record or
    /// records are keyed by their user.
    ///
    /// Only auctions whose event can fall on the timestamp are looked at: at most rate × (largest − least lag of the stage).
    ///
    /// ```
    /// use mock_data_gen::generator::spec::{Layout, Stage, StreamSpec};
    /// use mock_data_gen::generator::stream::Stream;
    ///
    /// let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    /// let key = b"63e8dea2-cc50-59e5-b81c-9da9621276bd";
    /// assert_eq!(stream.locate(Stage::Request, 1_767_225_600_082, key)[0].ordinal, 0);
    /// assert!(stream.locate(Stage::Request, 1_767_225_600_083, key).is_empty());
    /// ```
    #[must_use]
    pub fn locate(&self, stage: Stage, timestamp_ms: i64, key: &[u8]) -> Vec<Position> {
        let is_it = |plan: &Plan, position| self.builder.key_of(position, || plan.user) == key;
        locate(self.auctions(), stage, timestamp_ms, is_it)
    }

    /// As [`Stream::locate`], of the records whose documents carry this id as their own, whatever they are keyed by.
    #[must_use]
    pub fn locate_by_own_id(&self, stage: Stage, timestamp_ms: i64, id: Uuid) -> Vec<Position> {
        let ids = self.auctions().ids();
        locate(self.auctions(), stage, timestamp_ms, |plan, position| {
            let form = CopyKind::of(position.copy).unwrap_or(CopyKind::Event);
            let (kind, number) = key_name(KeyBy::Id, stage, form, position.ordinal, || plan.user);
            ids.id(kind, number) == id
        })
    }
}
