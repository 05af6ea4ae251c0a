//! Events of the `nexmark` crate, printed by serde_json into one reused buffer: what a Rust generator costs that is written in the
//! straightforward way. Prints one line of JSON.

use std::hint::black_box;
use std::time::Instant;

use nexmark::EventGenerator;
use nexmark::config::NexmarkConfig;

fn main() {
    let count: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let begin = Instant::now();
    let (mut line, mut bytes) = (Vec::new(), 0);
    for event in EventGenerator::new(NexmarkConfig::default()).take(count) {
        line.clear();
        serde_json::to_writer(&mut line, &event).expect("an event is JSON");
        bytes += black_box(&line).len();
    }
    println!(r#"{{"records":{count},"bytes":{bytes},"seconds":{:.6}}}"#, begin.elapsed().as_secs_f64());
}
