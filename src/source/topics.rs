//! Topics, read committed, from their beginning to where they ended when they were opened.
//!
//! ```text
//! broker ──> one bounded queue a partition ──> next(log)
//! ```
//!
//! Partitions are read at the pace at which they are asked for: the client stops fetching a partition whose queue is full, and
//! goes on with the others, so whoever waits for one never waits in vain.

mod reader;

use std::sync::Arc;

use self::reader::{OffsetRange, Reader};
use super::{LogPlace, Source, SourceError};
use crate::generator::spec::{Layout, Stage, TopicName};
use crate::kafka::{Cluster, Edge, KafkaError, consumer};
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;

/// A log that ends in control records only is read further back for its last record; each time so many times as far.
const DEEPER: i64 = 8;

/// The four topics of a cluster.
#[derive(Debug)]
pub struct Topics<'a> {
    cluster: &'a Cluster,
    stop: &'a Shutdown,
    places: Vec<LogPlace>,
    spans: Vec<OffsetRange>,
    /// One a stage, so that each has queues of its own size.
    readers: Vec<Reader>,
}

impl<'a> Topics<'a> {
    /// Looks where each partition begins and ends, and begins to read.
    ///
    /// # Errors
    /// If a broker does not answer.
    pub fn open(cluster: &'a Cluster, stop: &'a Shutdown) -> Result<Self, KafkaError> {
        Self::look(cluster, stop).map_err(|error| cluster.client().explain(error))
    }

    fn look(cluster: &'a Cluster, stop: &'a Shutdown) -> Result<Self, KafkaError> {
        let layout = cluster.layout();
        let mut places = Vec::new();
        let mut spans = Vec::new();
        let ends = cluster.client().ends(&Arc::new(consumer(cluster, 1)?));
        let [begins, ends] =
            [Edge::Beginning, Edge::End].map(|edge| ends.of_layout(layout, edge, || stop.is_requested()));
        let (begins, ends) = (begins?, ends?);
        for stage in Stage::ALL {
            let topic = layout.topic(stage);
            let offsets = begins[stage].iter().zip(&ends[stage]);
            for (partition, (&start, &end)) in (0..).zip(offsets) {
                let span = OffsetRange::new(&topic.name, partition, start..end);
                let log_start_offset = Some(start).filter(|&start| start > 0);
                places.push(LogPlace {
                    stage,
                    partition: Some(partition),
                    log_start_offset,
                    is_empty: span.is_empty(),
                });
                spans.push(span);
            }
        }
        let of_topics = spans.chunk_by(OffsetRange::is_beside);
        let readers = of_topics.map(|of_topic| Reader::start(cluster, of_topic, &spans)).collect::<Result<_, _>>()?;
        Ok(Self { cluster, stop, places, spans, readers })
    }

    /// The last records of the logs whose spans are not empty.
    fn read_tails(&self, spans: &[OffsetRange], count: usize) -> Result<Vec<Vec<LogRecord>>, KafkaError> {
        let mut reader = Reader::start(self.cluster, spans, spans)?;
        let mut tails = Vec::with_capacity(spans.len());
        for log in 0..spans.len() {
            let mut tail = std::collections::VecDeque::new();
            let mut record = LogRecord::default();
            while reader.next(log, &mut record, self.stop)? {
                let spare = if tail.len() == count { tail.pop_front() } else { None };
                tail.push_back(std::mem::replace(&mut record, spare.unwrap_or_default()));
            }
            tails.push(tail.into());
        }
        Ok(tails)
    }
}

impl Source for Topics<'_> {
    fn layout(&self) -> &Layout {
        self.cluster.layout()
    }

    fn logs(&self) -> &[LogPlace] {
        &self.places
    }

    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError> {
        let LogPlace { stage, partition, .. } = self.places[log];
        Ok(self.readers[stage.index()].next(partition.unwrap_or_default() as usize, record, self.stop)?)
    }

    fn restamped(&self) -> Vec<TopicName> {
        let is_restamped = |reader: &&Reader| reader.is_restamped();
        self.readers.iter().filter(is_restamped).flat_map(Reader::topics).cloned().collect()
    }

    fn tails(&mut self, count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError> {
        let mut tails = vec![Vec::new(); self.spans.len()];
        let mut depth = count as i64;
        loop {
            // Control records and records of aborted transactions have offsets too.
            let last_part = |(span, tail): (&OffsetRange, &Vec<LogRecord>)| {
                if tail.is_empty() { span.last(depth) } else { span.last(0) }
            };
            let spans: Vec<OffsetRange> = self.spans.iter().zip(&tails).map(last_part).collect();
            for (tail, read) in tails.iter_mut().zip(self.read_tails(&spans, count)?) {
                if tail.is_empty() {
                    *tail = read;
                }
            }
            let is_whole = |(all, part): (&OffsetRange, &OffsetRange)| part.is_empty() || part.start == all.start;
            let is_known =
                |(pair, tail): ((&OffsetRange, &OffsetRange), &Vec<LogRecord>)| !tail.is_empty() || is_whole(pair);
            if self.spans.iter().zip(&spans).zip(&tails).all(is_known) {
                return Ok(tails);
            }
            depth = depth.saturating_mul(DEEPER);
        }
    }
}
