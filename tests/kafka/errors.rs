//! Every error that a broker can answer, at the first, a middle and the last request of a run, by librdkafka's mock cluster: the
//! run succeeds, or ends with the documented exit code, in time; and the log holds what it should.
//!
//! The mock stores a batch behind one that it refused, as Kafka never does. So before each request that is to be refused all
//! others are acknowledged, and no partition has two under way. Connections that break are tested on a real broker: see
//! `kafka/mock.rs`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::patience::limit;
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{Layout, StreamSpec};
use mock_data_gen::generator::stream::{Shard, Stream, Window};
use mock_data_gen::kafka::{Cluster, Existing, KafkaError, Target, Times, TopicSettings, Transfer, group_name};
use mock_data_gen::log::shutdown::Shutdown;
use mock_data_gen::metrics::Metrics;
use mock_data_gen::player::pace::{Pace, Pacer};
use mock_data_gen::player::play::{self, PlayOptions, Totals};
use mock_data_gen::sink::kafka::Kafka;
use mock_data_gen::sink::{Sink, SinkError};
use mock_data_gen::source::topics::Topics;
use mock_data_gen::verify::{Verdict, VerifyOptions, verify};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

type Mock = MockCluster<'static, DefaultProducerContext>;

/// No run may take longer.
const LIMIT: Duration = limit(60);
/// When a signal comes, if the brokers refuse again and again.
const SIGNAL: Duration = Duration::from_secs(1);
/// Runs wait most of their time.
const AT_ONCE: usize = 32;
const AUCTIONS: u64 = 30;
/// Answers to a produce request after which the client sends it again, so that the run never hears of them. All others end it.
const SENT_AGAIN: [RDKafkaRespErr; 14] = [
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_MSG,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
];
/// This one says that the batch is there already. Where it is not, only the end offsets tell.
const NOT_TRUE: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;

/// Answers that another client would get again.
const LASTS: [RDKafkaRespErr; 3] = [
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    RDKafkaRespErr::RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
];

/// Which request of a run is answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    First,
    Middle,
    Last,
}

/// One run.
#[derive(Debug, Clone, Copy)]
struct Case {
    request: RDKafkaApiKey,
    error: RDKafkaRespErr,
    at: At,
    /// How often the request is refused, until a signal comes if it is more than the run can bear.
    times: usize,
    /// Whether transactions are written.
    transactional: bool,
}

/// How a run ended.
#[derive(Debug)]
struct Ended {
    /// Its exit code.
    code: u8,
    /// What it said.
    said: String,
    /// What the log holds that it should not, or lacks.
    wrong: Option<String>,
    took: Duration,
}

/// All that a broker can answer, as far as the client knows.
fn errors() -> Vec<RDKafkaRespErr> {
    let answers = (-1..=i32::from(u8::MAX)).filter_map(|code| RDKafkaRespErr::try_from(code).ok());
    let none = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, RDKafkaRespErr::RD_KAFKA_RESP_ERR_END_ALL];
    answers.filter(|error| !none.contains(error)).collect()
}

/// A sink before whose first, middle or last record the brokers begin to refuse requests.
struct Refused<'a> {
    sink: Kafka,
    mock: &'a Mock,
    case: Case,
    submitted: u64,
    /// The record before which that happens.
    before: u64,
}

impl Sink for Refused<'_> {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        if self.submitted == self.before {
            // What a transaction has acknowledged is nobody's until it is committed.
            while !self.case.transactional && self.sink.acked() != Some(self.submitted) {
                self.sink.wait(Duration::from_millis(1))?;
            }
            self.mock.request_errors(self.case.request, &vec![self.case.error; self.case.times]);
        }
        self.submitted += 1;
        self.sink.submit(record)
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.sink.wait(span)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        // The mock writes no control records, so ends are not where a transaction has them.
        self.sink.close(complete && !self.case.transactional)
    }

    fn acked(&self) -> Option<u64> {
        Sink::acked(&self.sink)
    }
}

fn prepare(mock: &Mock, layout: &Layout) -> Cluster {
    let times = Times { now_ms: 0, first_ms: 0, last_ms: 0 };
    let target = Target {
        brokers: &mock.bootstrap_servers(),
        properties: &[],
        transfer: Transfer { compression: "none", linger_ms: 20, queue_kbytes: 64 * 1024 },
        layout,
        topics: TopicSettings { replication_factor: None, times, existing: Existing::Ours, without_end: false },
        stop: &Shutdown::default(),
    };
    Cluster::prepare(&target).unwrap()
}

/// What the topics hold, compared with the window or with a beginning of it.
fn verdict(stream: &Stream, cluster: &Cluster, prefix: bool) -> Verdict {
    let stop = Shutdown::default();
    let mut topics = Topics::open(cluster, &stop).unwrap();
    let window = Some(Window::auctions(0, AUCTIONS));
    verify(stream, &mut topics, VerifyOptions { window, prefix, fingerprint: false, threads: 1 }, &stop, |_, _| {})
        .unwrap()
}

/// The exit code that docs/guide/configuration.md gives to an end.
fn exit_code(error: &SinkError) -> u8 {
    match error {
        SinkError::Kafka(error) if error.is_another_writer() => 4,
        SinkError::Kafka(_) => 3,
        error => panic!("{error}"),
    }
}

/// Plays one case on a cluster of its own, and compares the log with what the run says of itself.
fn play(case: Case) -> Ended {
    let (stream, layout) = (Stream::new(&StreamSpec::default(), &Layout::default()), Layout::default());
    let window = Window::auctions(0, AUCTIONS);
    let records = stream.records(window).count() as u64;
    let mock = Mock::new(1).unwrap();
    for topic in layout.topics() {
        mock.create_topic(topic.name.as_str(), topic.partitions.count().cast_signed(), 1).unwrap();
    }
    let cluster = prepare(&mock, &layout);
    let stop = Arc::new(Shutdown::default());
    let before = match case.at {
        At::First => 0,
        At::Middle => records / 2,
        At::Last => records - 1,
    };
    let metrics = Arc::new(Metrics::new(&layout));
    let sink = if case.transactional {
        let mut sink = Kafka::transactional(&cluster, Shard::WHOLE, &stop, &metrics).unwrap();
        sink.append_behind(cluster.end_offsets());
        sink.commit_offsets(&cluster, &group_name(&stream), &window.into()).unwrap();
        sink
    } else {
        Kafka::new(&cluster, &stop, &metrics).unwrap()
    };
    let mut sink = Refused { sink, mock: &mock, case, submitted: 0, before };
    let manner = PlayOptions { first_alone: false, threads: 1 };
    let begin = Instant::now();
    let outcome = thread::scope(|scope| {
        if case.times > 1 {
            scope.spawn(|| {
                thread::sleep(SIGNAL);
                stop.request();
            });
        }
        play::play(
            &stream,
            &window.into(),
            &mut sink,
            &mut Pacer::new(Pace::Fast, 0),
            &stop,
            manner,
            &mut Totals::new(None),
        )
    });
    // What it still holds is dropped with it.
    drop(sink);
    let took = begin.elapsed();
    mock.clear_request_errors(case.request);
    let (code, said, acked) = match outcome {
        Ok(outcome) => (if outcome.complete { 0 } else { 5 }, String::new(), outcome.acked.unwrap_or_default()),
        Err(error) => {
            let acked = if let SinkError::Kafka(KafkaError::Ended { acked, .. }) = error { acked } else { 0 };
            (exit_code(&error), error.to_string(), acked)
        }
    };
    let verdict = verdict(&stream, &cluster, code != 0);
    let is_right = verdict.is_clean() && verdict.counts().records >= acked;
    let wrong = (!is_right).then(|| format!("{acked} are said to be there\n{verdict}"));
    Ended { code, said, wrong, took }
}

/// Plays cases in parallel, each in time.
fn play_all(cases: &[Case]) -> Vec<Ended> {
    let next = AtomicUsize::new(0);
    let ended = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { break };
                    let result = play(*case);
                    ended.lock().unwrap().insert(number, result);
                }
            });
        }
    });
    ended.into_inner().unwrap().into_values().collect()
}

/// What every run has to be, whatever it was answered.
fn assert_ended_well(case: &Case, ended: &Ended, limit: Duration) {
    assert!(ended.took < limit, "{case:?}: {ended:?}");
    if case.error == NOT_TRUE {
        assert!(ended.code == 3 && ended.said.contains(" lost records: expected offset "), "{case:?}: {ended:?}");
    } else {
        assert_eq!(ended.wrong, None, "{case:?}: {ended:?}");
    }
}

#[test]
fn every_answer_to_a_produce_request_is_success_or_the_documented_exit_code() {
    let request = RDKafkaApiKey::Produce;
    let places = [At::First, At::Middle, At::Last];
    let cases = |error| places.map(|at| Case { request, error, at, times: 1, transactional: false });
    let cases: Vec<Case> = errors().into_iter().flat_map(cases).collect();
    assert!(cases.len() >= 300, "{} cases", cases.len());
    for (case, ended) in cases.iter().zip(play_all(&cases)) {
        assert_ended_well(case, &ended, LIMIT);
        if SENT_AGAIN.contains(&case.error) {
            assert_eq!((ended.code, ended.said.as_str()), (0, ""), "{case:?}");
        } else if case.error != NOT_TRUE {
            let names_the_record = ended.said.contains("the record with key") && ended.said.contains("was not stored");
            assert!(ended.code == 3 && names_the_record, "{case:?}: {ended:?}");
        }
    }
}

#[test]
#[ignore = "takes a while: part of make test-kafka"]
fn a_run_that_is_refused_again_and_again_ends_with_the_refusal_or_soon_after_a_signal() {
    let case =
        |error| Case { request: RDKafkaApiKey::Produce, error, at: At::Middle, times: 100_000, transactional: false };
    let cases: Vec<Case> = errors().into_iter().map(case).collect();
    for (case, ended) in cases.iter().zip(play_all(&cases)) {
        assert_ended_well(case, &ended, SIGNAL + limit(5));
        assert_eq!(ended.code, 3, "{case:?}: {ended:?}");
        let waits = ended.said.contains("records were sent but not acknowledged");
        assert_eq!(waits, SENT_AGAIN.contains(&case.error), "{case:?}: {ended:?}");
    }
}

/// The mock keeps no transactions apart for readers, so what the log holds is left to a real broker (`exactly_once.rs`).
#[test]
#[ignore = "takes a while: part of make test-kafka"]
fn every_answer_to_a_request_of_transactions_is_success_or_the_documented_end() {
    use RDKafkaApiKey::{AddOffsetsToTxn, AddPartitionsToTxn, EndTxn, Produce, TxnOffsetCommit};
    let cases = |error| {
        [AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn, Produce].map(|request| Case {
            request,
            error,
            at: At::Middle,
            times: 1,
            transactional: true,
        })
    };
    let cases: Vec<Case> = errors().into_iter().flat_map(cases).collect();
    let (mut done, mut uncertain, mut fenced) = (0, 0, 0);
    for (case, ended) in cases.iter().zip(play_all(&cases)) {
        assert!(ended.took < LIMIT, "{case:?}: {ended:?}");
        if LASTS.contains(&case.error) && case.request != EndTxn {
            // Nobody has to guess, and another client would get the same answer.
            let is_named = ["uthorization failed", "the brokers deny it"].iter().any(|name| ended.said.contains(name));
            assert!(ended.code == 3 && is_named && !ended.said.contains("uncertain"), "{case:?}: {ended:?}");
        }
        match ended.code {
            0 => done += 1,
            4 => fenced += 1,
            3 if ended.said.contains("how the last transaction ended is uncertain") => uncertain += 1,
            3 => {
                let ways = ["was not stored", "writing a transaction", "the right Write on the transactional ids"];
                assert!(ways.iter().any(|way| ended.said.contains(way)), "{case:?}: {ended:?}");
            }
            code => panic!("{code}: {case:?}: {ended:?}"),
        }
    }
    // Each way to end was met: the first two renew a client or need none, the third shuts it out.
    assert!(done > 10 && uncertain > 100 && fenced >= 4, "{done} done, {uncertain} uncertain, {fenced} fenced");
}
