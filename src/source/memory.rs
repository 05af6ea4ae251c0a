//! Records that a program holds already, such as what a test's own consumer has read.

use std::collections::VecDeque;

use super::{LogPlace, Source, SourceError};
use crate::generator::spec::{Layout, Stage};
use crate::log::record::LogRecord;

/// A source of records in memory, one log a partition.
#[derive(Debug, Clone)]
pub struct Memory {
    layout: Layout,
    places: Vec<LogPlace>,
    logs: Vec<VecDeque<LogRecord>>,
}

impl Memory {
    /// Partitions of a layout's topics, ordered by stage and partition, as they were read. A partition that does not begin at
    /// offset 0 counts as cut by retention.
    #[must_use]
    pub fn new(layout: &Layout, logs: Vec<Vec<LogRecord>>) -> Self {
        let partitions = Stage::ALL
            .into_iter()
            .flat_map(|stage| (0..layout.topic(stage).partitions.count()).map(move |p| (stage, p)));
        let mut logs = logs.into_iter();
        let mut places = Vec::new();
        let mut held = Vec::new();
        for (stage, partition) in partitions {
            let records = logs.next().unwrap_or_default();
            let log_start_offset = records.first().map(|record| record.offset).filter(|&offset| offset > 0);
            places.push(LogPlace { stage, partition: Some(partition), log_start_offset, is_empty: records.is_empty() });
            held.push(records.into());
        }
        Self { layout: layout.clone(), places, logs: held }
    }

    /// The same, where what stood before an offset of a log was removed. Nothing may be left of it.
    #[must_use]
    pub fn removed_before(mut self, log: usize, offset: i64) -> Self {
        if let Some(place) = self.places.get_mut(log) {
            place.log_start_offset = Some(offset).filter(|&offset| offset > 0);
        }
        self
    }
}

impl Source for Memory {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn logs(&self) -> &[LogPlace] {
        &self.places
    }

    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError> {
        let next = self.logs.get_mut(log).and_then(VecDeque::pop_front);
        Ok(next.map(|next| *record = next).is_some())
    }

    fn tails(&mut self, count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError> {
        let tail = |log: &VecDeque<LogRecord>| log.iter().skip(log.len().saturating_sub(count)).cloned().collect();
        Ok(self.logs.iter().map(tail).collect())
    }
}
