//! Verify's memory does not grow with the window: `make verify-memory`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::collections::VecDeque;
use std::fs;

use mock_data_gen::generator::spec::{EventsPerSecond, Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Records, Stream, Window};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::source::{LogIndex, LogPlace, Source, SourceError};
use mock_data_gen::verify::{VerifyOptions, verify};

/// Logs that are generated while they are read.
struct Playback<'a> {
    layout: Layout,
    places: Vec<LogPlace>,
    records: Records<'a>,
    queues: Vec<VecDeque<LogRecord>>,
}

impl<'a> Playback<'a> {
    fn new(stream: &'a Stream, window: Window) -> Self {
        let layout = stream.layout().clone();
        let place =
            |stage, partition| LogPlace { stage, partition: Some(partition), log_start_offset: None, is_empty: false };
        let of_stage =
            |stage| (0..layout.topic(stage).partitions.count()).map(move |partition| place(stage, partition));
        let places: Vec<LogPlace> = Stage::ALL.into_iter().flat_map(of_stage).collect();
        let queues = vec![VecDeque::new(); places.len()];
        Self { layout, places, records: stream.records(window), queues }
    }
}

impl Source for Playback<'_> {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn logs(&self) -> &[LogPlace] {
        &self.places
    }

    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError> {
        let index = LogIndex::new(&self.places);
        while self.queues[log].is_empty() {
            let Some(next) = self.records.next() else { return Ok(false) };
            self.queues[index.of(next.stage, next.partition)].push_back(LogRecord::of(&next, 0));
        }
        *record = self.queues[log].pop_front().unwrap();
        Ok(true)
    }

    fn tails(&mut self, _count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError> {
        unreachable!("the window is asked for")
    }
}

/// The most memory that this process ever had, in KiB.
fn resident_kib_max() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "takes minutes: make verify-memory"]
fn ten_million_auctions_take_no_more_memory_than_one_million() {
    let spec = StreamSpec { events_per_second: EventsPerSecond::new(1_000), ..StreamSpec::default() };
    let stream = Stream::new(&spec, &Layout::default());
    let check = |count: u64| {
        let window = Window::auctions(0, count);
        let demand = VerifyOptions { window: Some(window), ..VerifyOptions::default() };
        let verdict =
            verify(&stream, &mut Playback::new(&stream, window), demand, &Shutdown::default(), |_, _| {}).unwrap();
        assert!(verdict.is_clean(), "{verdict}");
        assert!(verdict.counts().matched > count, "{verdict}");
        println!("{count} auctions, {} records: at most {} KiB resident", verdict.counts().matched, resident_kib_max());
        resident_kib_max()
    };
    // The most that the process ever had never sinks, so the larger window comes last.
    let (small, large) = (check(1_000_000), check(10_000_000));
    assert!(large * 10 <= small * 11, "{large} KiB for ten million auctions, {small} KiB for one million");
}
