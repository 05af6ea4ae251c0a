//! Clusters that are far away, or large: a real Apache Kafka behind a proxy that delays each byte, and thousands of partitions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::{OwnBroker, run, stderr, topic_flags};

/// A broker whose clients are sent to a port where each byte is delayed, as if by a long way.
struct FarBroker {
    broker: OwnBroker,
    /// The address behind the long way.
    far: String,
}

impl FarBroker {
    fn start(one_way: Duration) -> Self {
        let mut script = Command::new("tests/kafka/broker");
        script.env("KAFKA_EXTRA_PROPERTIES", "tests/torture/proxied.properties");
        let broker = OwnBroker::start_by(&mut script);
        let port: u16 = broker.bootstrap.rsplit_once(':').unwrap().1.parse().unwrap();
        let far = format!("127.0.0.1:{}", port + 3);
        let listener = TcpListener::bind(&far).unwrap();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", port + 2)).unwrap());
                carry(client.try_clone().unwrap(), server.try_clone().unwrap(), one_way);
                carry(server, client, one_way);
            }
        });
        Self { broker, far }
    }

    fn generator(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.args(args).args(["--bootstrap-servers", &self.far]);
        command
    }
}

/// Hands bytes on in order, each after a while; what follows does not wait for what is under way.
fn carry(from: TcpStream, to: TcpStream, one_way: Duration) {
    let (sender, receiver) = channel();
    thread::spawn(move || take(from, &sender));
    thread::spawn(move || give(to, &receiver, one_way));
}

fn take(mut from: TcpStream, sender: &Sender<(Instant, Vec<u8>)>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if sender.send((Instant::now(), bytes[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn give(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>, one_way: Duration) {
    to.set_nodelay(true).unwrap();
    while let Ok((since, bytes)) = receiver.recv() {
        thread::sleep((since + one_way).saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Runs a command that has to succeed, and says how long it took.
fn timed(what: &str, command: &mut Command) -> (Duration, String) {
    let begin = Instant::now();
    let output = run(command);
    let (took, said) = (begin.elapsed(), stderr(&output));
    assert!(output.status.success(), "{what}: {:?} after {took:?}\n{said}", output.status);
    (took, said)
}

/// Plays a window, plays more of it behind that, and verifies all. `within` is of each start.
fn start_restart_verify(generator: impl Fn(&[&str]) -> Command, flags: &[String], delivery: &str, within: Duration) {
    let window = |count: &'static str| ["--fast", "--count", count, "--delivery", delivery];
    let (first, said) = timed("start", generator(&window("300")).args(flags));
    // They are slow, and answer all the same.
    assert!(!said.contains("do not answer"), "{said}");
    let (second, said) = timed("restart", generator(&window("400")).args(flags));
    assert!(said.contains("resumes") && !said.contains("do not answer"), "{said}");
    let verify = ["verify", "--count", "400"];
    timed("verify", generator(&verify).args(flags));
    assert!(first < within && second < within, "{first:?}, {second:?}");
}

#[test]
#[ignore = "needs a real Kafka: make test-far"]
fn a_round_trip_of_two_seconds_works() {
    let far = FarBroker::start(Duration::from_secs(1));
    let flags = topic_flags("far");
    start_restart_verify(|args| far.generator(args), &flags, "idempotent", limit(60));
    let exactly_once = ["--fast", "--count", "300", "--delivery", "exactly-once"];
    timed("start with transactions", far.generator(&exactly_once).args(topic_flags("far-2")));
    // Of the same window: a live run from now would have to fill the time since.
    let check = ["check", "--fast", "--count", "500"];
    let (_, said) = timed("check", far.generator(&check).args(topic_flags("far")));
    assert!(!said.contains("error"), "{said}");
    drop(far.broker);
}

#[test]
#[ignore = "needs a real Kafka: make test-far"]
fn a_hundred_partitions_far_away_are_asked_at_once() {
    let far = FarBroker::start(Duration::from_millis(50));
    let flags = [topic_flags("wide"), ["--partitions", "30"].map(str::to_owned).to_vec()].concat();
    // One by one they took 45 s to start and 101 s to restart.
    start_restart_verify(|args| far.generator(args), &flags, "idempotent", limit(10));
    start_restart_verify(|args| far.generator(args), &topic_flags("wide-2"), "exactly-once", limit(20));
}

#[test]
#[ignore = "needs a real Kafka: make test-far"]
fn thousands_of_partitions_are_asked_at_once() {
    let broker = OwnBroker::start();
    let generator = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.args(args).args(["--bootstrap-servers", &broker.bootstrap]);
        command
    };
    let flags = [topic_flags("many"), ["--partitions", "1000"].map(str::to_owned).to_vec()].concat();
    // Making so many logs is a broker's own work, which takes a busy machine a minute.
    timed("topics made", generator(&["--fast", "--count", "200"]).args(&flags));
    // One by one they took 106 s.
    start_restart_verify(generator, &flags, "idempotent", limit(10));
}
