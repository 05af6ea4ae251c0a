//! What the machine, librdkafka and a broker allow: the figures that `benches/whole.py` puts beside those of the program. Each
//! mode does one thing with records that are ready, prints one line of JSON, and is not part of the program.
//!
//! ```text
//! limits memcpy COUNT             copy the payload of COUNT auctions, 64 KiB at a time
//! limits write COUNT FILE         write(2) it, 64 KiB at a time
//! limits producer COUNT BROKERS PREFIX LINGER COMPRESSION    send the records of COUNT auctions, with the settings of our sink
//! limits consumer BROKERS PREFIX  read four topics to their end
//! ```
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![allow(clippy::expect_used, clippy::panic, clippy::float_arithmetic, reason = "a benchmark fails by panicking")]

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{Layout, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

const CHUNK: usize = 64 * 1024;
const NAMES: [&str; 4] = ["bid-requests", "bid-responses", "impressions", "clicks"];

fn records(count: u64) -> Vec<Record> {
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    stream.records(Window::auctions(0, count)).collect()
}

fn payload(count: u64) -> Vec<u8> {
    let mut payload = Vec::new();
    for record in records(count) {
        payload.extend_from_slice(&record.value);
        payload.push(b'\n');
    }
    payload
}

fn say(records: usize, bytes: usize, took: Duration) {
    println!(r#"{{"records":{records},"bytes":{bytes},"seconds":{:.6}}}"#, took.as_secs_f64());
}

fn memcpy(count: u64) {
    let payload = payload(count);
    let mut to = vec![0; CHUNK];
    let begin = Instant::now();
    for chunk in payload.chunks(CHUNK) {
        to[..chunk.len()].copy_from_slice(chunk);
        black_box(&mut to);
    }
    say(0, payload.len(), begin.elapsed());
}

fn write(count: u64, path: &str) {
    let payload = payload(count);
    let begin = Instant::now();
    let mut file = File::create(path).expect("a file");
    for chunk in payload.chunks(CHUNK) {
        file.write_all(chunk).expect("written");
    }
    say(0, payload.len(), begin.elapsed());
}

fn producer(count: u64, brokers: &str, prefix: &str, linger: &str, compression: &str) {
    let records = records(count);
    let topics = NAMES.map(|name| format!("{prefix}-{name}"));
    // As in sink/kafka.rs.
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", "0")
        .set("linger.ms", linger)
        .set("compression.type", compression)
        .set("batch.num.messages", "2000")
        .set("queue.buffering.max.messages", "0")
        .set("queue.buffering.max.kbytes", "65536")
        .create()
        .expect("a producer");
    let begin = Instant::now();
    for (index, record) in records.iter().enumerate() {
        let mut message = BaseRecord::to(&topics[record.stage.index()])
            .partition(record.partition.cast_signed())
            .timestamp(record.timestamp_ms)
            .key(&record.key)
            .payload(&record.value);
        while let Err((error, returned)) = producer.send(message) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            message = returned;
            producer.poll(Duration::from_millis(1));
        }
        if index % 256 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(Duration::from_secs(600)).expect("all is acknowledged");
    say(records.len(), records.iter().map(|record| record.value.len()).sum(), begin.elapsed());
}

fn consumer(brokers: &str, prefix: &str) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "limits")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()
        .expect("a consumer");
    let begin = Instant::now();
    let mut list = TopicPartitionList::new();
    for name in NAMES {
        let topic = format!("{prefix}-{name}");
        let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(30)).expect("metadata");
        for partition in metadata.topics()[0].partitions() {
            list.add_partition_offset(&topic, partition.id(), Offset::Beginning).expect("a partition");
        }
    }
    consumer.assign(&list).expect("assigned");
    let (mut open, mut records, mut bytes) = (list.count(), 0, 0);
    while open > 0 {
        match consumer.poll(Duration::from_secs(30)).expect("an answer") {
            Ok(message) => {
                records += 1;
                bytes += message.payload_len();
            }
            Err(KafkaError::PartitionEOF(_)) => open -= 1,
            Err(error) => panic!("{error}"),
        }
    }
    say(records, bytes, begin.elapsed());
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let count = |text: &str| text.parse().expect("a count");
    match args[..] {
        ["memcpy", n] => memcpy(count(n)),
        ["write", n, path] => write(count(n), path),
        ["producer", n, brokers, prefix, linger, compression] => {
            producer(count(n), brokers, prefix, linger, compression);
        }
        ["consumer", brokers, prefix] => consumer(brokers, prefix),
        _ => println!("{{}}"),
    }
}
