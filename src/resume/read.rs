//! Reading ranges of partitions from a consumer that hands out their records mixed, and passes silently over control records.

use std::time::{Duration, Instant};

use super::ResumeError;
use super::log::{Each, Range};
use crate::generator::spec::Stage;
use crate::kafka::KafkaError;
use crate::kafka::Reading;
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;

/// How long all partitions may stay silent before their ends.
const PATIENCE: Duration = Duration::from_secs(30);
/// While records come, it is asked this often which ranges have ended in control records.
const LOOK: Duration = Duration::from_millis(100);

/// A consumer that was assigned some ranges.
pub trait Feed {
    /// Waits a moment for a record and shows it; false if none came. A record counts as read only once `show` has returned, so
    /// nobody can ask for a position between the two.
    ///
    /// # Errors
    /// If a broker does not answer, or with what `show` says.
    fn poll(&mut self, show: &mut Show<'_>) -> Result<bool, ResumeError>;

    /// For each range the offset after all that was shown, or passed over as a control record; `None` where that is not known yet.
    ///
    /// # Errors
    /// If the client fails.
    fn positions(&mut self, ranges: &[Range]) -> Result<Vec<Option<i64>>, ResumeError>;
}

/// Takes a record of a partition of a stage's topic.
pub type Show<'a> = dyn FnMut(Stage, u32, &LogRecord) -> Result<(), ResumeError> + 'a;

/// Shows the records of ranges that a consumer was assigned, in order within each, until all are read.
///
/// # Errors
/// If a signal comes, all partitions stay silent, a broker does not answer, or with what `each` says.
pub fn read_ranges(
    feed: &mut impl Feed,
    mut open: Vec<Range>,
    stop: &Shutdown,
    each: &mut Each<'_>,
) -> Result<(), ResumeError> {
    let (mut last, mut looked) = (Instant::now(), Instant::now());
    while !open.is_empty() {
        if stop.is_requested() {
            return Err(ResumeError::Stopped);
        }
        let came = feed.poll(&mut |stage, partition, record| {
            // Records that follow a range's end are sent too.
            let at = (stage, partition);
            let Some(index) = open.iter().position(|range| (range.stage, range.partition) == at) else { return Ok(()) };
            let range = open[index];
            if record.offset < range.end {
                each(&range, record)?;
            }
            if record.offset + 1 >= range.end {
                open.swap_remove(index);
            }
            Ok(())
        })?;
        if came {
            last = Instant::now();
        } else if last.elapsed() > PATIENCE {
            return Err(KafkaError::from(Reading::Silent { left: open.len(), seconds: PATIENCE.as_secs() }).into());
        }
        // A range that ends in control records is closed by the position. Records of partitions that are read already may fill
        // the time for long, so it is asked meanwhile too.
        if !came || looked.elapsed() > LOOK {
            looked = Instant::now();
            let mut positions = feed.positions(&open)?.into_iter();
            open.retain(|range| positions.next().flatten().is_none_or(|position| position < range.end));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// What stands at an offset.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Entry {
        Record,
        Control,
    }

    /// A consumer whose position runs ahead of what it has handed out: it has passed each control record, and counts the record
    /// that it is handing out.
    struct Ahead {
        logs: Vec<Vec<Entry>>,
        positions: Vec<usize>,
        /// Which partition is asked next; none of them where the poll stays empty.
        turns: VecDeque<Option<usize>>,
    }

    impl Ahead {
        fn pass_control(&mut self, partition: usize) {
            while self.logs[partition].get(self.positions[partition]) == Some(&Entry::Control) {
                self.positions[partition] += 1;
            }
        }
    }

    impl Feed for Ahead {
        fn poll(&mut self, show: &mut Show<'_>) -> Result<bool, ResumeError> {
            let turn = self.turns.pop_front();
            let any = (0..self.logs.len()).find(|&partition| self.positions[partition] < self.logs[partition].len());
            let Some(partition) = turn.unwrap_or(any) else { return Ok(false) };
            self.pass_control(partition);
            let offset = self.positions[partition];
            if offset >= self.logs[partition].len() {
                return Ok(false);
            }
            self.positions[partition] += 1;
            self.pass_control(partition);
            let record = LogRecord { offset: offset as i64, ..LogRecord::default() };
            show(Stage::Request, partition as u32, &record)?;
            Ok(true)
        }

        fn positions(&mut self, ranges: &[Range]) -> Result<Vec<Option<i64>>, ResumeError> {
            Ok(ranges.iter().map(|range| Some(self.positions[range.partition as usize] as i64)).collect())
        }
    }

    proptest! {
        #[test]
        fn every_record_of_every_range_is_shown_once(
            logs in prop::collection::vec(prop::collection::vec(prop_oneof![4 => Just(Entry::Record), 1 => Just(Entry::Control)], 0..30), 1..6),
            cuts in prop::collection::vec(0_usize..=30, 6),
            turns in prop::collection::vec(prop::option::of(0_usize..6), 0..80),
        ) {
            let count = logs.len();
            let range = |(partition, log): (usize, &Vec<Entry>)| Range {
                stage: Stage::Request,
                partition: partition as u32,
                from: 0,
                end: log.len().min(cuts[partition]) as i64,
            };
            let ranges: Vec<Range> = logs.iter().enumerate().map(range).filter(|range| range.end > 0).collect();
            let expected: Vec<Vec<i64>> = ranges.iter().map(|range| {
                let log = &logs[range.partition as usize];
                (0..range.end).zip(log).filter(|&(_, &entry)| entry == Entry::Record).map(|(offset, _)| offset).collect()
            }).collect();
            let turns = turns.into_iter().map(|turn| turn.map(|turn| turn % count)).collect();
            let mut feed = Ahead { positions: vec![0; count], logs, turns };
            let mut shown = vec![Vec::new(); count];
            read_ranges(&mut feed, ranges.clone(), &Shutdown::default(), &mut |range, record| {
                shown[range.partition as usize].push(record.offset);
                Ok(())
            }).unwrap();
            for (range, expected) in ranges.iter().zip(expected) {
                prop_assert_eq!(&shown[range.partition as usize], &expected);
            }
        }
    }
}
