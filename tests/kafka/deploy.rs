//! The manifests of `deploy/` at work on a real Apache Kafka: `make test-kafka`. What Kubernetes would start is started here, with
//! the variables, arguments and probes that stand there; only addresses, topics and the rate are the test's own.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::support::{bootstrap, run, stderr, succeed};
use serde_json::Value;

const PATIENCE: Duration = limit(60);

/// A manifest, with another port in place of 8080: all Pods share this machine.
fn manifest(file: &str, port: u16) -> Value {
    let text = fs::read_to_string(format!("deploy/{file}")).unwrap();
    serde_norway::from_str(&text.replace("8080", &port.to_string())).unwrap()
}

/// One container of a Pod, as the kubelet would start it.
struct Container {
    variables: BTreeMap<String, String>,
    args: Vec<String>,
    probes: Value,
}

impl Container {
    /// Of a workload's Pod. `index` is the Pod's number in an indexed Job.
    fn new(file: &str, index: Option<usize>, own: &[(&str, String)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let probes = manifest(file, port)["spec"]["template"]["spec"]["containers"][0].take();
        let config = manifest("config.yaml", port)["data"].take();
        let mut variables: BTreeMap<String, String> = serde_json::from_value(config).unwrap();
        for variable in probes["env"].as_array().unwrap() {
            let text = |key: &str| variable[key].as_str().unwrap().to_owned();
            variables.insert(text("name"), text("value"));
        }
        variables.extend(index.map(|index| ("JOB_COMPLETION_INDEX".to_owned(), index.to_string())));
        variables.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let args = probes["args"].as_array().into_iter().flatten().map(|arg| expand(arg.as_str().unwrap(), &variables));
        Self { args: args.collect(), variables, probes }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
        command.env_clear().envs(&self.variables).args(args);
        command
    }

    fn start(&self) -> Child {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Asks a probe, as the kubelet does.
    fn probe(&self, name: &str) -> bool {
        let command = self.probes[name]["exec"]["command"].as_array().unwrap();
        let command: Vec<&str> = command.iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(command[0], "mock-data-gen");
        run(&mut self.command(&command[1..])).status.success()
    }

    /// What its topics hold, compared with the stream by the same variables.
    fn verify(&self, window: &[&str]) -> String {
        succeed(&mut self.command(&[&["verify"], window].concat()))
    }
}

/// `$(NAME)` stands for a variable.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

/// Variables that keep tests apart.
fn own(prefix: &str, events_per_second: &str) -> Vec<(&'static str, String)> {
    let topics = [
        ("TOPIC_BID_REQUESTS", "bid-requests"),
        ("TOPIC_BID_RESPONSES", "bid-responses"),
        ("TOPIC_IMPRESSIONS", "impressions"),
        ("TOPIC_CLICKS", "clicks"),
    ];
    let topics = topics.map(|(variable, name)| (variable, format!("{prefix}-{name}")));
    let others = [("KAFKA_BOOTSTRAP_SERVERS", bootstrap()), ("EVENTS_PER_SECOND", events_per_second.to_owned())];
    topics.into_iter().chain(others).collect()
}

fn wait(what: &str, limit: Duration, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "not {what} after {limit:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn ended(child: Child) -> Output {
    let begin = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begin.elapsed() < PATIENCE, "it took {:?}: {}", begin.elapsed(), stderr(&output));
    output
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_backfill_of_which_one_pod_is_killed_and_replaced_is_whole() {
    let job = manifest("backfill.yaml", 8080);
    let pods = job["spec"]["completions"].as_u64().unwrap() as usize;
    assert!(pods >= 2, "{pods} Pods");
    let own = own("deploy-backfill", "2.5");
    let containers: Vec<Container> =
        (0..pods).map(|index| Container::new("backfill.yaml", Some(index), &own)).collect();
    let mut children: Vec<Child> = containers.iter().map(Container::start).collect();

    // One is killed with records on their way, and replaced while the others go on.
    let victim = &containers[1];
    wait("under way", PATIENCE, || {
        let url = format!("http://{}/metrics", victim.variables["MDG_LISTEN"]);
        let metrics = run(&mut victim.command(&["health", &url])).stdout;
        let acked = "mdg_records_acked_total{topic=\"deploy-backfill-bid-requests\"} ";
        let metrics = String::from_utf8(metrics).unwrap();
        let acked = metrics.lines().find_map(|line| line.strip_prefix(acked)?.parse::<u64>().ok());
        acked.is_some_and(|acked| acked > 1_000)
    });
    assert!(victim.probe("livenessProbe"));
    children[1].kill().unwrap();
    let killed = children[1].wait().unwrap();
    assert!(!killed.success(), "it ended before it was killed");
    children[1] = victim.start();

    for (index, child) in children.into_iter().enumerate() {
        let output = ended(child);
        assert!(output.status.success(), "Pod {index}: {}\n{}", output.status, stderr(&output));
        let resumed = stderr(&output).contains("\"resumed_records\":");
        assert_eq!(resumed, index == 1, "Pod {index}: {}", stderr(&output));
    }
    let window: Vec<&str> = victim.args.iter().map(String::as_str).filter(|arg| *arg != "--fast").take(4).collect();
    assert_eq!([window[0], window[2]], ["--from", "--duration"]);
    assert!(victim.verify(&window).contains("all as they should be"));
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_live_pod_is_ready_and_ends_within_its_grace_period() {
    let grace = &manifest("live.yaml", 8080)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
    let container = Container::new("live.yaml", None, &own("deploy-live", "500"));
    let child = container.start();
    wait("ready", PATIENCE, || container.probe("readinessProbe"));
    thread::sleep(Duration::from_secs(5));
    assert!(container.probe("livenessProbe") && container.probe("readinessProbe"));
    succeed(Command::new("kill").args(["-TERM", &child.id().to_string()]));
    let begin = Instant::now();
    let output = ended(child);
    assert!(begin.elapsed() < limit(grace.as_u64().unwrap()), "{:?}", begin.elapsed());
    assert!(output.status.success(), "{}\n{}", output.status, stderr(&output));
    assert!(container.verify(&[]).contains("all as they should be"));
}
