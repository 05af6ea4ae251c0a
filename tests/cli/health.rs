//! Health and metrics over HTTP, at each stage of a run: hermetic, with sinks that need no Kafka and the embedded broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(feature = "cli")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::patience::limit;
use crate::program;
use serde_json::Value;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A run that listens on a port of its own. It is killed where a test ends before it does.
struct Run {
    child: Child,
    stderr: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Run {
    fn start(args: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", args)
    }

    fn start_on(listen: &str, args: &[&str]) -> Self {
        let mut command = program(&[&["--listen", listen], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("health and metrics at http://").unwrap_or_else(|| panic!("{line}"));
        Self { address: address.parse().unwrap(), child, stderr }
    }

    fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path)
    }

    /// Asks until the answer's status is there, which must be before `limit`.
    fn wait_for(&self, path: &str, status: u16, limit: Duration) -> Answer {
        let begin = Instant::now();
        loop {
            let answer = self.get(path);
            if answer.status == status {
                return answer;
            }
            assert!(begin.elapsed() < limit, "{path} is still {} {}", answer.status, answer.body);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Takes what is left on standard output and error, and waits for the end: exit code and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        self.stderr.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code(), text)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(limit(20))).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// The value of a sample, as text.
fn sample<'a>(metrics: &'a str, name: &str) -> &'a str {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
}

const LIVE: [&str; 4] = ["--sink", "null", "--events-per-second", "500"];

#[test]
fn a_run_under_way_is_alive_and_ready_and_counts() {
    let run = Run::start(&LIVE);
    run.wait_for("/readyz", 200, limit(10));
    assert_eq!(run.get("/livez").body, "running\n");
    let begin = Instant::now();
    while run.get("/metrics").body.contains("mdg_records_acked_total{topic=\"impressions\"} 0\n") {
        assert!(begin.elapsed() < limit(20), "no impression");
    }
    let answer = run.get("/metrics");
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{}", answer.head);
    let metrics = &answer.body;
    assert_eq!(sample(metrics, "mdg_state{state=\"running\"}"), "1");
    assert_eq!(sample(metrics, "mdg_queue_records"), "0");
    for (topic, stage) in [("bid-requests", "request"), ("bid-responses", "response"), ("impressions", "impression")] {
        let acked = sample(metrics, &format!("mdg_records_acked_total{{topic=\"{topic}\"}}")).parse::<u64>().unwrap();
        let released = sample(metrics, &format!("mdg_records_released_total{{stage=\"{stage}\"}}")).parse().unwrap();
        // The page is read while the run goes on.
        assert!(acked > 0 && acked.abs_diff(released) <= 50, "{metrics}");
    }
    let count = sample(metrics, "mdg_release_lateness_seconds_count").parse::<u64>().unwrap();
    assert!(count > 0 && sample(metrics, "mdg_release_lateness_seconds_bucket{le=\"+Inf\"}").parse() == Ok(count));
    let now = mock_data_gen::player::pace::wall_clock_us() / 1_000_000;
    let emitted = sample(metrics, "mdg_virtual_time_seconds").split('.').next().unwrap().parse::<i64>().unwrap();
    assert!((now - limit(10).as_secs().cast_signed()..=now).contains(&emitted), "{emitted} at {now}");
    run.signal("-TERM");
    let (code, text) = run.end();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn other_paths_and_methods_are_refused() {
    let run = Run::start(&LIVE);
    for path in ["/", "/livez/", "/metrics2", "/favicon.ico"] {
        assert_eq!(run.get(path).status, 404, "{path}");
    }
    for path in ["/livez", "/readyz", "/metrics"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = ask(run.address, method, path);
            assert_eq!((answer.status, answer.head.contains("allow: get, head")), (405, true), "{method} {path}");
        }
        let head = ask(run.address, "HEAD", path);
        assert_eq!((head.status, &*head.body), (run.get(path).status, ""), "{path}");
    }
    assert_eq!(run.get("/livez?verbose").status, 200);
}

#[test]
fn a_run_that_still_looks_for_its_broker_is_alive_and_not_ready() {
    let run = Run::start(&["--bootstrap-servers", "127.0.0.1:1", "--fast"]);
    assert_eq!((run.get("/livez").status, &*run.get("/livez").body), (200, "starting\n"));
    assert_eq!((run.get("/readyz").status, &*run.get("/readyz").body), (503, "starting\n"));
    assert_eq!(sample(&run.get("/metrics").body, "mdg_state{state=\"starting\"}"), "1");
    let address = run.address.to_string();
    assert_eq!(program(&["health", &address]).output().unwrap().status.code(), Some(0));
    let ready = program(&["health", &format!("http://{address}/readyz")]).output().unwrap();
    assert_eq!(ready.status.code(), Some(1));
    assert_eq!(stderr(&ready), format!("error: http://{address}/readyz: 503 starting\n"));
    assert!(ready.stdout.is_empty());
}

/// The reader of standard output does not read: what is left behind a full pipe waits to be flushed.
#[test]
fn a_run_that_drains_is_not_ready_and_one_that_hangs_there_is_not_alive() {
    // More than a pipe holds, and less than a pipe and the sink's buffer.
    let run = Run::start(&["--sink", "stdout", "--fast", "--count", "70"]);
    let begin = Instant::now();
    while run.get("/readyz").body != "draining\n" {
        assert!(begin.elapsed() < limit(10), "{}", run.get("/readyz").body);
    }
    assert_eq!(run.get("/readyz").status, 503);
    assert_eq!(sample(&run.get("/metrics").body, "mdg_state{state=\"draining\"}"), "1");
    assert_eq!(run.get("/livez").status, 200);
    let dead = run.wait_for("/livez", 503, limit(30));
    assert!(dead.body.starts_with("draining, but nothing moved for "), "{}", dead.body);
    let (code, text) = run.end();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn silent_clients_are_let_go_and_keep_nobody_waiting() {
    let run = Run::start(&LIVE);
    let mut silent: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(run.address).unwrap()).collect();
    for half in silent.iter_mut().skip(10) {
        half.write_all(b"GET /livez HTTP/1.1\r\nHost: ").unwrap();
    }
    let begin = Instant::now();
    assert_eq!(run.get("/livez").status, 200);
    assert!(begin.elapsed() < limit(3), "{:?}", begin.elapsed());
    for mut client in silent {
        client.set_read_timeout(Some(limit(20))).unwrap();
        assert_eq!(client.read(&mut [0; 64]).unwrap(), 0, "answered without a question");
    }
    // More than are served at once: the next one has its turn when they are let go.
    let _silent: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(run.address).unwrap()).collect();
    assert_eq!(run.get("/livez").status, 200);
}

#[test]
fn what_is_no_request_is_answered_and_harms_nobody() {
    let run = Run::start(&LIVE);
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..], b"GET\r\n\r\n", &vec![b'a'; 20_000], b"\r\n\r\n\r\n"] {
        let mut stream = TcpStream::connect(run.address).unwrap();
        // It may be refused before it is written whole.
        let _ = stream.write_all(nonsense);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(run.get("/livez").status, 200);
}

#[test]
fn an_address_in_use_ends_the_program_before_anything_is_made() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let args = ["--sink", "files", "--out", out.to_str().unwrap(), "--fast", "--count", "1", "--listen", &address];
    let output = program(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).starts_with(&format!("error: cannot listen on {address}: ")), "{}", stderr(&output));
    assert!(!out.exists() && output.stdout.is_empty());
}

#[test]
fn addresses_that_are_none_are_refused_by_name() {
    for (text, said) in [
        ("8080", "give 127.0.0.1:8080 for this machine"),
        ("127.0.0.1", "the port is missing"),
        ("somewhere:8080", "give an IP address and a port"),
    ] {
        let typed = program(&["--sink", "null", "--fast", "--count", "1", "--listen", text]).output().unwrap();
        let mut by_variable = program(&["--sink", "null", "--fast", "--count", "1"]);
        let by_variable = by_variable.env("MDG_LISTEN", text).output().unwrap();
        for output in [&typed, &by_variable] {
            assert_eq!(output.status.code(), Some(2), "{}", stderr(output));
            assert!(stderr(output).contains("--listen") && stderr(output).contains(said), "{}", stderr(output));
        }
    }
    let shown = program(&["show", "1", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(shown.status.code(), Some(2), "only run listens: {}", stderr(&shown));
}

#[test]
fn an_address_open_to_others_is_told_of_and_asked_on_loopback() {
    let run = Run::start_on("0.0.0.0:0", &LIVE);
    let address = run.address.to_string();
    let by_argument = program(&["health", &address]).output().unwrap();
    assert_eq!((by_argument.status.code(), &*by_argument.stdout), (Some(0), &b"running\n"[..]));
    let by_variable = program(&["health"]).env("MDG_LISTEN", &address).output().unwrap();
    assert_eq!(by_variable.status.code(), Some(0));
    run.signal("-TERM");
    let (_, text) = run.end();
    assert!(text.contains(&format!("anybody who reaches {address} may ask")), "{text}");
}

#[test]
fn a_process_that_is_not_there_is_not_well() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = program(&["health", &free]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&free), "{}", stderr(&output));
    let nobody = program(&["health"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(2), "{}", stderr(&nobody));
    // Somebody else's server, which says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let begin = Instant::now();
    let output = program(&["health", &silent.local_addr().unwrap().to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(begin.elapsed() < limit(15), "{:?}", begin.elapsed());
}

#[test]
fn a_held_broker_is_ready_and_its_counters_are_the_reports() {
    let args = ["--bootstrap-servers", "embedded", "--fast", "--count", "2000", "--hold", "--report", "json"];
    let mut run = Run::start(&args);
    let mut report = String::new();
    BufReader::new(run.child.stdout.as_mut().unwrap()).read_line(&mut report).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let begin = Instant::now();
    while run.get("/readyz").body != "holding\n" {
        assert!(begin.elapsed() < limit(20), "{:?}", run.get("/readyz"));
    }
    let metrics = run.get("/metrics").body;
    for stage in report["stages"].as_array().unwrap() {
        let topic = stage["topic"].as_str().unwrap();
        for (family, field) in [("mdg_records_acked_total", "records"), ("mdg_bytes_acked_total", "bytes")] {
            let value = sample(&metrics, &format!("{family}{{topic=\"{topic}\"}}"));
            assert_eq!(value, stage[field].to_string(), "{family} of {topic}");
        }
    }
    assert_eq!(sample(&metrics, "mdg_queue_records"), "0");
    run.signal("-INT");
    assert_eq!(run.end().0, Some(0));
}

/// The ports that a process listens on, by what the kernel says.
fn listening(pid: u32) -> Vec<u16> {
    let links =
        fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.display().to_string()).collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // 0A is LISTEN; the tenth field is the socket's inode.
            if fields[3] == "0A" && sockets.contains(&format!("socket:[{}]", fields[9])) {
                ports.push(u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap());
            }
        }
    }
    ports
}

#[test]
fn no_port_is_open_unless_it_was_asked_for() {
    let mut closed = program(&LIVE).stderr(Stdio::piped()).spawn().unwrap();
    let mut heading = String::new();
    BufReader::new(closed.stderr.take().unwrap()).read_line(&mut heading).unwrap();
    assert!(heading.starts_with("stream "), "{heading}");
    let ports = listening(closed.id());
    closed.kill().unwrap();
    closed.wait().unwrap();
    assert_eq!(ports, [0u16; 0]);
    let open = Run::start(&LIVE);
    assert_eq!(listening(open.child.id()), [open.address.port()]);
}
