#!/usr/bin/env bash
# Rust crate rdkafka 0.39.0: a consumer's commit() never calls ConsumerContext::commit_callback, neither by CommitMode::Async nor by Sync,
# though the offset is stored; commits of enable.auto.commit do call it. The crate asks librdkafka for events (RD_KAFKA_EVENT_OFFSET_COMMIT), but
# rd_kafka_commit() answers to no queue but its own while it waits, and otherwise to an offset_commit_cb, which the crate does not set. Until it
# is mended: CommitMode::Sync returns the result, and committed_offsets() tells whether an offset is stored.
# On the mock cluster inside librdkafka. Needs Rust, a C and a C++ compiler, make. Fails if this is no longer so.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "1.0.0"
edition = "2021"

[dependencies]
rdkafka = { version = "=0.39.0", default-features = false }
rdkafka-sys = { version = "=4.10.0", default-features = false }
END
cat >src/main.rs <<'END'
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

#[derive(Default)]
struct Counting(AtomicUsize);

impl ClientContext for Counting {}

impl ConsumerContext for Counting {
    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn list(offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("read", 0, offset).unwrap();
    list
}

fn main() {
    println!("librdkafka {}", rdkafka::util::get_rdkafka_version().1);
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("read", 1, 1).unwrap();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers());

    let producer: BaseProducer = config.create().unwrap();
    producer.send(BaseRecord::<(), str>::to("read").payload("record").partition(0)).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();

    for (name, mode) in [("Async", Some(CommitMode::Async)), ("Sync", Some(CommitMode::Sync)), ("enable.auto.commit", None)] {
        config.set("group.id", name).set("auto.commit.interval.ms", "500");
        config.set("enable.auto.commit", if mode.is_none() { "true" } else { "false" });
        let consumer: BaseConsumer<Counting> = config.create_with_context(Counting::default()).unwrap();
        consumer.assign(&list(Offset::Beginning)).unwrap();
        let mut returned = "not called".to_owned();
        let mut stored = Offset::Invalid;
        // Polled for 5 s, and until the offset is stored: for callbacks polling is all that is asked for.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) || stored != Offset::Offset(1) && begin.elapsed() < Duration::from_secs(60) {
            if let Some(record) = consumer.poll(Duration::from_millis(100)) {
                record.unwrap();
                if let Some(mode) = mode {
                    returned = format!("{:?}", consumer.commit(&list(Offset::Offset(1)), mode));
                }
            }
            let committed = consumer.committed_offsets(list(Offset::Invalid), Duration::from_secs(10)).unwrap();
            stored = committed.elements()[0].offset();
        }
        let calls = if consumer.context().0.load(SeqCst) == 0 { "never called" } else { "called" };
        println!("{name}: commit() {returned}, stored {stored:?}, commit_callback {calls}");
    }
}
END
cargo run --quiet 2>errors | tee seen || { cat errors >&2 && exit 1; }
diff - seen <<'EXPECTED'
librdkafka 2.12.1
Async: commit() Ok(()), stored Offset(1), commit_callback never called
Sync: commit() Ok(()), stored Offset(1), commit_callback never called
enable.auto.commit: commit() not called, stored Offset(1), commit_callback called
EXPECTED
