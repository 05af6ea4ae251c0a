//! The properties that users may not set.

/// Properties that are refused, and why.
pub(super) const REFUSED: [(&str, &str); 26] = [
    ("bootstrap.servers", "the addresses of the brokers are given by themselves"),
    ("metadata.broker.list", "the addresses of the brokers are given by themselves"),
    ("enable.idempotence", "delivery is idempotent, always: without it a retry can double or reorder records"),
    ("acks", "a record counts as delivered when all in-sync replicas have it"),
    ("request.required.acks", "a record counts as delivered when all in-sync replicas have it"),
    ("enable.gapless.guarantee", "a refused record must stop the run, not leave a gap"),
    ("message.timeout.ms", "a record that timed out would be a gap; the run waits instead"),
    ("delivery.timeout.ms", "a record that timed out would be a gap; the run waits instead"),
    ("retries", "retries are endless: giving up on a record would be a gap"),
    ("message.send.max.retries", "retries are endless: giving up on a record would be a gap"),
    ("max.in.flight", "idempotent delivery allows 5, and resuming counts on it"),
    ("max.in.flight.requests.per.connection", "idempotent delivery allows 5, and resuming counts on it"),
    ("batch.num.messages", "resuming counts on batches of at most 2,000 records"),
    ("partitioner", "partitions are chosen by this program, so that they are the same everywhere"),
    ("transactional.id", "the program chooses it where delivery needs one"),
    ("allow.auto.create.topics", "missing topics are created by this program, with settings that fit the window"),
    ("enable.auto.commit", "the program keeps no consumer group"),
    ("isolation.level", "logs are read committed"),
    ("plugin.library.paths", "it would load a library into this process"),
    ("sasl.kerberos.kinit.cmd", "it would run a shell command"),
    ("delivery.report.only.error", "every report is counted"),
    ("compression.codec", "give it as compression.type, its other name"),
    ("queuing.strategy", "records are delivered in the stream's order"),
    ("queue.buffering.max.ms", "give it as linger.ms, its other name"),
    ("queue.buffering.max.kbytes", "the queue is bounded, at 64 MiB at full speed and else at 16 MiB"),
    ("queue.buffering.max.messages", "the queue is bounded by its bytes, not by a count"),
];

/// A topic's property may stand behind this in librdkafka.
const TOPIC_PREFIX: &str = "topic.";
/// The properties that really begin so.
const TOPIC_PROPERTIES: [&str; 3] = ["topic.metadata.refresh.", "topic.metadata.propagation.", "topic.blacklist"];

/// The property that librdkafka sets under this name, where it is another one.
pub(super) fn prefixed(key: &str) -> Option<&str> {
    let plain = key.strip_prefix(TOPIC_PREFIX)?;
    let is_own_name = TOPIC_PROPERTIES.iter().any(|property| key.starts_with(property));
    (!is_own_name).then_some(plain)
}
