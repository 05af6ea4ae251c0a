//! The Kafka sink against librdkafka's mock cluster, which can be told to fail: hermetic, in this process.
//!
//! The mock knows repeated batches of transactional producers only. An idempotent one whose connection breaks under way stores
//! a batch twice there, as it never does in Kafka, so brokers that go and come back are tested on a real one (`kafka/live.rs`).
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use crate::patience::limit;
use mock_data_gen::generator::digest::Digest;
use mock_data_gen::generator::fingerprint::Fingerprints;
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{Layout, Partitions, Stage, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Shard, Stream, Window};
use mock_data_gen::kafka::{
    Cluster, Existing, KafkaError, Target, Times, TopicSettings, Transfer, group_name, read_group_offsets,
};
use mock_data_gen::log::record::LogRecord;
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::metrics::Metrics;
use mock_data_gen::player::pace::{Pace, Pacer};
use mock_data_gen::player::play::{self, Outcome, PlayOptions, Totals};
use mock_data_gen::sink::counted::Counted;
use mock_data_gen::sink::kafka::Kafka;
use mock_data_gen::sink::{Sink, SinkError};
use mock_data_gen::source::Source;
use mock_data_gen::source::topics::Topics;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

type Mock = MockCluster<'static, DefaultProducerContext>;

fn mock(layout: &Layout) -> Mock {
    let mock = MockCluster::new(3).unwrap();
    for topic in layout.topics() {
        mock.create_topic(topic.name.as_str(), topic.partitions.count().cast_signed(), 3).unwrap();
    }
    mock
}

fn prepare(mock: &Mock, layout: &Layout) -> Cluster {
    prepare_lingering(mock, layout, 5)
}

fn prepare_lingering(mock: &Mock, layout: &Layout, linger_ms: u32) -> Cluster {
    let times = Times { now_ms: 0, first_ms: 0, last_ms: 0 };
    let target = Target {
        brokers: &mock.bootstrap_servers(),
        properties: &[],
        transfer: Transfer { compression: "none", linger_ms, queue_kbytes: 64 * 1024 },
        layout,
        topics: TopicSettings { replication_factor: None, times, existing: Existing::Ours, without_end: false },
        stop: &Shutdown::default(),
    };
    Cluster::prepare(&target).unwrap()
}

/// Plays a window, with trouble made at some ordinal.
fn play(
    cluster: &Cluster,
    stream: &Stream,
    count: u64,
    stop: &Arc<Shutdown>,
    trouble: impl FnMut(u64),
) -> Result<Outcome, SinkError> {
    play_counted(cluster, stream, count, stop, &Arc::new(Metrics::new(cluster.layout())), trouble)
}

fn play_counted(
    cluster: &Cluster,
    stream: &Stream,
    count: u64,
    stop: &Arc<Shutdown>,
    metrics: &Arc<Metrics>,
    trouble: impl FnMut(u64),
) -> Result<Outcome, SinkError> {
    let mut sink = Troubled { sink: Kafka::new(cluster, stop, metrics).unwrap(), trouble };
    let mut sink = Counted::new(&mut sink, metrics);
    let mut pacer = Pacer::new(Pace::Fast, 0);
    let manner = PlayOptions { first_alone: false, threads: 2 };
    let mut tally = Totals::new(Some(cluster.layout()));
    play::play(stream, &Window::auctions(0, count).into(), &mut sink, &mut pacer, stop, manner, &mut tally)
}

/// A sink that tells the ordinal of each request that it has taken.
struct Troubled<T> {
    sink: Kafka,
    trouble: T,
}

impl<T: FnMut(u64)> Sink for Troubled<T> {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        self.sink.submit(record)?;
        if record.stage == Stage::Request {
            (self.trouble)(record.ordinal);
        }
        Ok(())
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.sink.wait(span)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        self.sink.close(complete)
    }

    fn acked(&self) -> Option<u64> {
        Sink::acked(&self.sink)
    }
}

fn read(cluster: &Cluster) -> Digest {
    let mut fingerprints = Fingerprints::new(cluster.layout());
    let stop = Shutdown::default();
    let mut topics = Topics::open(cluster, &stop).unwrap();
    let mut record = LogRecord::default();
    for log in 0..topics.logs().len() {
        let stage = topics.logs()[log].stage;
        while topics.next(log, &mut record).unwrap() {
            record.add_to(&mut fingerprints, stage);
        }
    }
    fingerprints.total()
}

fn stream() -> Stream {
    Stream::new(&StreamSpec { headers: true, ..StreamSpec::default() }, &Layout::default())
}

#[test]
fn refused_requests_are_repeated_without_loss_duplicate_or_reordering() {
    // The mock stores a batch behind one that it refused, as Kafka never does. So that each partition has only one under way,
    // the client holds all records back for longer than it takes to make them.
    let (stream, layout) = (stream(), Layout::default());
    let mock = mock(&layout);
    let cluster = prepare_lingering(&mock, &layout, 1_500);
    let errors = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    ];
    (0..8).for_each(|_| mock.request_errors(RDKafkaApiKey::Produce, &errors));
    let outcome = play(&cluster, &stream, 1_000, &Arc::default(), |_| {}).unwrap();
    assert!(outcome.complete);
    assert_eq!(Some(read(&cluster)), outcome.fingerprint);
}

#[test]
fn a_full_queue_holds_the_stream_back_and_loses_nothing() {
    // More than the queue's 64 MiB, sent over slow connections. The mock drops what is older than 5 MiB a partition, so the
    // acknowledged offsets are what counts.
    let (stream, layout) = (stream(), Layout::default());
    let mock = mock(&layout);
    (1..=3).for_each(|broker| mock.broker_round_trip_time(broker, Duration::from_millis(100)).unwrap());
    let cluster = prepare(&mock, &layout);
    let outcome = play(&cluster, &stream, 100_000, &Arc::default(), |_| {}).unwrap();
    assert!(outcome.bytes() > 80 << 20, "{} bytes fit into the queue", outcome.bytes());
    let ends = prepare(&mock, &layout).end_offsets().values().flatten().sum::<i64>();
    assert_eq!(ends, outcome.records() as i64);
}

#[test]
fn acknowledgements_are_counted_by_topic_as_they_come() {
    let (stream, layout) = (stream(), Layout::default());
    let mock = mock(&layout);
    let cluster = prepare(&mock, &layout);
    let metrics = Arc::new(Metrics::new(&layout));
    let mut waited = false;
    let look = |_| waited |= metrics.snapshot().queue() > 0;
    let outcome = play_counted(&cluster, &stream, 5_000, &Arc::default(), &metrics, look).unwrap();
    assert!(waited, "no record ever waited for its acknowledgement");
    let seen = metrics.snapshot();
    assert_eq!((seen.released, seen.queue()), (outcome.counts.map(|count| count.records), 0));
    let text = mock_data_gen::metrics::text(&metrics, "");
    for (topic, count) in layout.topics().iter().zip(outcome.counts.into_array()) {
        for line in [
            format!("mdg_records_acked_total{{topic=\"{}\"}} {}\n", topic.name, count.records),
            format!("mdg_bytes_acked_total{{topic=\"{}\"}} {}\n", topic.name, count.bytes),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }
}

#[test]
fn records_that_are_refused_are_counted_by_librdkafkas_code() {
    let (stream, layout) = (stream(), Layout::default());
    let mock = mock(&layout);
    let cluster = prepare(&mock, &layout);
    mock.topic_error("clicks", RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let metrics = Arc::new(Metrics::new(&layout));
    play_counted(&cluster, &stream, 5_000, &Arc::default(), &metrics, |_| {}).unwrap_err();
    let text = mock_data_gen::metrics::text(&metrics, "");
    assert!(text.contains("mdg_delivery_errors_total{code=\"TOPIC_AUTHORIZATION_FAILED\"} "), "{text}");
}

#[test]
fn a_refused_record_ends_the_run_by_name() {
    let (stream, layout) = (stream(), Layout::default());
    let mock = mock(&layout);
    let cluster = prepare(&mock, &layout);
    mock.topic_error("clicks", RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).unwrap();
    let error = play(&cluster, &stream, 5_000, &Arc::default(), |_| {}).unwrap_err();
    let SinkError::Kafka(error) = error else { panic!("{error}") };
    assert!(matches!(error.cause(), KafkaError::Rejected { .. }), "{error}");
    assert!(error.to_string().contains("topic `clicks`"), "{error}");
}

#[test]
fn a_stop_while_the_queue_is_full_says_what_is_not_acknowledged() {
    let (stream, layout) = (stream(), Layout::default());
    let mock = mock(&layout);
    let cluster = prepare(&mock, &layout);
    let stop = Arc::new(Shutdown::default());
    let signal = Arc::clone(&stop);
    (1..=3).for_each(|broker| mock.broker_down(broker).unwrap());
    let signals = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        signal.request();
    });
    let begin = std::time::Instant::now();
    let error = play(&cluster, &stream, 1_000_000, &stop, |_| {}).unwrap_err();
    signals.join().unwrap();
    let SinkError::Kafka(KafkaError::Ended { source, sent, acked }) = error else { panic!("{error}") };
    assert!(matches!(*source, KafkaError::NotAcked), "{source}");
    assert!(sent > acked && acked == 0, "{sent} sent, {acked} acknowledged");
    // Three seconds until the signal, and less than five after it.
    assert!(begin.elapsed() < limit(8), "{:?}", begin.elapsed());
}

#[test]
fn transactions_are_committed_by_brokers_that_are_far_away() {
    let layout = Layout::default();
    let mock = mock(&layout);
    (1..=3).for_each(|broker| mock.broker_round_trip_time(broker, Duration::from_millis(600)).unwrap());
    let cluster = prepare(&mock, &layout);
    let (stop, metrics) = (Arc::new(Shutdown::default()), Arc::new(Metrics::new(&layout)));
    let mut sink = Kafka::transactional(&cluster, Shard::WHOLE, &stop, &metrics).unwrap();
    sink.append_behind(cluster.end_offsets());
    let (stream, window) = (Stream::new(&StreamSpec::default(), &layout), Window::auctions(0, 20));
    sink.commit_offsets(&cluster, &group_name(&stream), &window.into()).unwrap();
    let manner = PlayOptions { first_alone: false, threads: 1 };
    let mut pacer = Pacer::new(Pace::Fast, 0);
    let played = play::play(&stream, &window.into(), &mut sink, &mut pacer, &stop, manner, &mut Totals::new(None));
    // The mock writes no control records, which are missed once all is committed.
    let Err(SinkError::Kafka(KafkaError::Ended { source, acked, .. })) = played else { panic!("{played:?}") };
    assert!(matches!(*source, KafkaError::Uncertain { .. }), "{source}");
    assert_eq!(acked, stream.records(window).count() as u64);
    let committed = read_group_offsets(&cluster, &group_name(&stream), &stop).unwrap();
    assert!(committed.iter().all(|(_, of)| of.iter().all(Option::is_some)), "{committed:?}");
}

#[test]
fn brokers_that_are_far_away_are_waited_for_and_asked_at_once() {
    let mut counts = [30, 30, 30, 30].into_iter();
    let layout = Layout::new(
        Layout::default()
            .topics()
            .clone()
            .map(|topic| Topic { name: topic.name, partitions: Partitions::new(counts.next().unwrap()).unwrap() }),
    )
    .unwrap();
    let mock = mock(&layout);
    // A leader that is only just elected is asked again.
    mock.request_errors(RDKafkaApiKey::ListOffsets, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION]);
    (1..=3).for_each(|broker| mock.broker_round_trip_time(broker, Duration::from_millis(1_500)).unwrap());
    let cluster = prepare(&mock, &layout);
    assert_eq!(cluster.end_offsets().each_ref().map(Vec::len), [30; 4].into());
    let stop = Shutdown::default();
    assert_eq!(Topics::open(&cluster, &stop).unwrap().logs().len(), 120);
}
