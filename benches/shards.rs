//! What a worker pays for the records of the others: the time to pass over a record, against the time to emit it. Prints one
//! line of JSON a worker count.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::expect_used, clippy::float_arithmetic, reason = "a benchmark fails by panicking, and prints ratios")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{Layout, Partitions, StreamSpec};
use mock_data_gen::generator::stream::{Assignment, Shard, Step, Stream, Window};

const AUCTIONS: u64 = 200_000;
const ROUNDS: u32 = 5;
/// So many partitions a topic that 64 workers have one each.
const PARTITIONS: u32 = 64;

/// The least time of some rounds, and how many records were emitted and passed over.
fn play(stream: &Stream, shard: Shard) -> (Duration, u64, u64) {
    let part = Assignment::new(Window::auctions(0, AUCTIONS), shard, Default::default());
    let mut least = (Duration::MAX, 0, 0);
    for _ in 0..ROUNDS {
        let (mut emitted, mut passed) = (0, 0);
        let mut records = stream.assigned_records(&part);
        let mut record = Record::default();
        let begin = Instant::now();
        loop {
            match records.step(&mut record) {
                Step::Record => emitted += 1,
                Step::Skipped { count, .. } => passed += count as u64,
                Step::End => break,
            }
            black_box(&record);
        }
        least = least.min((begin.elapsed(), emitted, passed));
    }
    least
}

fn main() {
    let partitions = Partitions::new(PARTITIONS).expect("a legal count");
    let stream = Stream::new(&StreamSpec::default(), &Layout::default().with_partitions([partitions; 4]));
    let (whole, records, _) = play(&stream, Shard::WHOLE);
    let emit_ns = whole.as_nanos() as f64 / records as f64;
    for workers in [2, 3, 5, 16, PARTITIONS] {
        let shard = format!("0/{workers}").parse().expect("a shard");
        let (took, emitted, passed) = play(&stream, shard);
        let pass_ns = (took.as_nanos() as f64 - emit_ns * emitted as f64) / passed as f64;
        let ratio = pass_ns / emit_ns;
        println!(
            r#"{{"workers":{workers},"emitted":{emitted},"passed":{passed},"emit_ns":{emit_ns:.0},"pass_ns":{pass_ns:.0},"pass_to_emit":{ratio:.3}}}"#
        );
    }
}
