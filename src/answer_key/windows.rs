//! Tumbling windows: how many records of each stage have their event time in them.

use std::collections::BTreeMap;

use super::folder::Folder;
use super::settings::Settings;
use super::table::{Row, Table, Value};
use super::walk::{Emitted, Seen};
use crate::files::FilesError;
use crate::generator::spec::{ByStage, Span, Stage};
use crate::generator::stream::Stream;

const COLUMNS: &[&str] = &["window_start_ms", "window_end_ms", "requests", "responses", "impressions", "clicks"];

/// A watermark before anything was seen.
const BEFORE_ALL_MS: i64 = -(1 << 50);

/// The counts of the windows that can still grow, by their start.
type Open = BTreeMap<i64, ByStage<u64>>;

#[derive(Debug)]
pub(super) struct Windows {
    span: Span,
    /// Each record.
    raw: Counted,
    /// Each event.
    dedup: Counted,
    /// Each event, in the window of its request.
    cohort: Counted,
    flink: Option<Flink>,
}

#[derive(Debug)]
struct Counted {
    table: Table,
    open: Open,
    row: Row,
}

/// What Flink SQL's tumbling windows count over each topic as one ordered source. A record is dropped if, before it, the watermark had
/// reached the last millisecond of its window. (Flink 2: `WindowOperator.isWindowLate`; measured by `make test-engines`.)
#[derive(Debug)]
struct Flink {
    counted: Counted,
    delay_ms: i64,
    /// By stage: the largest event time so far, less the delay.
    watermarks: ByStage<i64>,
}

impl Windows {
    pub(super) fn create(folder: &mut Folder, stream: &Stream, settings: Settings) -> Result<Self, FilesError> {
        let span = settings.window;
        let mut counted = |form: &str| {
            let table = Table::create(folder, format!("windows_{span}_{form}"), COLUMNS)?;
            Ok::<_, FilesError>(Counted { table, open: Open::new(), row: Row::default() })
        };
        let (raw, dedup, cohort) = (counted("raw")?, counted("dedup")?, counted("cohort")?);
        // A stage that never has a record holds no window open.
        let watermarks = ByStage::from_fn(|stage| if stream.happens(stage) { BEFORE_ALL_MS } else { i64::MAX });
        let flink = match settings.watermark_delay {
            Some(delay) => Some(Flink { counted: counted("flink")?, delay_ms: delay.ms(), watermarks }),
            None => None,
        };
        Ok(Self { span, raw, dedup, cohort, flink })
    }

    /// Takes a record in emit order.
    pub(super) fn saw(&mut self, record: &Seen) {
        let Some(flink) = &mut self.flink else { return };
        // What is not well-formed has no time that a watermark could be made of.
        if !record.form.is_event() {
            return;
        }
        let watermark = &mut flink.watermarks[record.stage];
        let start_ms = start_of(self.span, record.event_ms);
        if start_ms + self.span.ms() - 1 > *watermark {
            flink.counted.open.entry(start_ms).or_default()[record.stage] += 1;
        }
        *watermark = (*watermark).max(record.event_ms - flink.delay_ms);
    }

    /// Takes an auction in ordinal order.
    pub(super) fn add(&mut self, auction: &Emitted) -> Result<(), FilesError> {
        let request_start_ms = start_of(self.span, auction.plan.request_ms);
        // Later auctions arrive later.
        for counted in [&mut self.raw, &mut self.dedup, &mut self.cohort] {
            counted.close_before(request_start_ms, self.span)?;
        }
        if let Some(flink) = &mut self.flink {
            let least = flink.watermarks.values().copied().min().unwrap_or(BEFORE_ALL_MS);
            flink.counted.close_before(start_of(self.span, least.saturating_add(1)), self.span)?;
        }
        let has_request = auction.events(Stage::Request).next().is_some();
        for stage in Stage::ALL {
            let Some(event_ms) = auction.plan.event_ms(stage) else { continue };
            let copies = auction.events(stage).count() as u64;
            if copies == 0 {
                continue;
            }
            let start_ms = start_of(self.span, event_ms);
            self.raw.open.entry(start_ms).or_default()[stage] += copies;
            self.dedup.open.entry(start_ms).or_default()[stage] += 1;
            if has_request {
                self.cohort.open.entry(request_start_ms).or_default()[stage] += 1;
            }
        }
        Ok(())
    }

    pub(super) fn into_tables(self) -> Result<Vec<Table>, FilesError> {
        let all = [self.raw, self.dedup, self.cohort].into_iter().chain(self.flink.map(|flink| flink.counted));
        let close = |mut counted: Counted| {
            counted.close_before(i64::MAX, self.span)?;
            Ok(counted.table)
        };
        all.map(close).collect()
    }
}

impl Counted {
    /// Writes the windows that start before a time: nothing can be added to them any more.
    fn close_before(&mut self, ms: i64, span: Span) -> Result<(), FilesError> {
        while let Some(entry) = self.open.first_entry() {
            if *entry.key() >= ms {
                break;
            }
            let (start_ms, counts) = entry.remove_entry();
            let [requests, responses, impressions, clicks] =
                counts.into_array().map(|count| Value::Number(count.cast_signed()));
            let (start, end) = (Value::Number(start_ms), Value::Number(start_ms + span.ms()));
            self.row.set(COLUMNS, &[start, end, requests, responses, impressions, clicks]);
            self.table.add(&self.row, 1)?;
        }
        Ok(())
    }
}

/// The start of the window that a time lies in. Windows are aligned to 1970.
fn start_of(span: Span, ms: i64) -> i64 {
    ms.div_euclid(span.ms()) * span.ms()
}
