//! `--listen`: liveness, readiness and metrics over HTTP, from a thread of its own.
//!
//! It reads counters and nothing else, so it answers whatever the run waits for.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rdkafka::util::get_rdkafka_version;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::cli::exit::Failure;
use crate::cli::output::terminal::note;
use crate::metrics::{self, Health, Metrics, Watch};

/// The run is looked at this often, whether anybody asks or not.
const LOOK: Duration = Duration::from_millis(500);
/// A client that has not taken its answer by then is let go, so that silent ones cannot pile up.
const PATIENCE: Duration = Duration::from_secs(5);
/// More clients than this wait for their turn.
const CLIENTS_MAX: usize = 128;
/// The least that the library takes: no request here needs more.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// An address and a port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListenAddress(pub(crate) SocketAddr);

/// A text that is not an address and a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListenAddressError {
    #[error(
        "a port alone says nothing of who may ask: give 127.0.0.1:{0} for this machine, or 0.0.0.0:{0} for all others too"
    )]
    PortAlone(u16),
    #[error("the port is missing: give {0}:8080, for example")]
    NoPort(String),
    #[error("give an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080")]
    Form,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Ok(port) = text.strip_prefix(':').unwrap_or(text).parse() {
            return Err(ListenAddressError::PortAlone(port));
        }
        if text == "localhost" || text.parse::<Ipv4Addr>().is_ok() {
            return Err(ListenAddressError::NoPort(text.to_owned()));
        }
        let numeric = text.strip_prefix("localhost:").map(|port| format!("{}:{port}", Ipv4Addr::LOCALHOST));
        numeric.as_deref().unwrap_or(text).parse().map(Self).map_err(|_| ListenAddressError::Form)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Takes the address, says so, and answers there until the process ends.
pub(crate) fn listen(ListenAddress(address): ListenAddress, metrics: &Arc<Metrics>) -> Result<(), Failure> {
    let failed = |source| Failure::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let runtime = Builder::new_current_thread().enable_io().enable_time().build().map_err(failed)?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener).map_err(failed)?
    };
    note!(format!("health and metrics at http://{bound}"), address = %bound);
    if !bound.ip().is_loopback() {
        tracing::warn!(target: "listen", "anybody who reaches {bound} may ask for health and metrics, not this machine alone");
    }
    let server = Arc::new(HealthServer { metrics: Arc::clone(metrics), watch: Mutex::new(Watch::new(Instant::now())) });
    let thread = thread::Builder::new().name("listen".to_owned());
    thread.spawn(move || runtime.block_on(serve(&listener, &server))).map_err(failed)?;
    Ok(())
}

async fn serve(listener: &TcpListener, server: &Arc<HealthServer>) {
    let mut clients = JoinSet::new();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = look.tick() => { server.look(); }
            Some(_) = clients.join_next() => {}
            accepted = listener.accept(), if clients.len() < CLIENTS_MAX => match accepted {
                Ok((stream, _)) => { clients.spawn(talk(stream, Arc::clone(server))); }
                Err(error) => {
                    // Mostly the process has too many files open; that passes.
                    tracing::debug!(target: "listen", "a client could not be taken: {error}");
                    sleep(LOOK).await;
                }
            },
        }
    }
}

/// One request, one answer.
async fn talk(stream: TcpStream, server: Arc<HealthServer>) {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = server.answer(request.method(), request.uri().path());
        async { Ok::<_, std::convert::Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(REQUEST_BYTES_MAX);
    // What a client did wrong is told to the client; that it went away is nobody's loss.
    let _ = timeout(PATIENCE, http.serve_connection(TokioIo::new(stream), service)).await;
}

/// Where the answers are given.
#[derive(Debug)]
struct HealthServer {
    metrics: Arc<Metrics>,
    watch: Mutex<Watch>,
}

impl HealthServer {
    fn look(&self) -> Health {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.look(Instant::now(), &self.metrics.snapshot())
    }

    fn answer(&self, method: &Method, path: &str) -> Response<String> {
        let known = matches!(path, "/livez" | "/readyz" | "/metrics");
        if known && method != Method::GET && method != Method::HEAD {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let healthy = |verdict: Result<String, String>| match verdict {
            Ok(text) => plain(StatusCode::OK, &text),
            Err(text) => plain(StatusCode::SERVICE_UNAVAILABLE, &text),
        };
        match path {
            "/livez" => healthy(self.look().alive()),
            "/readyz" => healthy(self.look().ready()),
            "/metrics" => typed(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                metrics::text(&self.metrics, &get_rdkafka_version().1),
            ),
            _ => plain(StatusCode::NOT_FOUND, "here are /livez, /readyz and /metrics"),
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<String> {
    typed(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn typed(status: StatusCode, kind: &'static str, text: String) -> Response<String> {
    let mut answer = Response::new(text);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port_and_a_port_has_an_address() {
        for (text, address) in
            [("127.0.0.1:8080", "127.0.0.1:8080"), ("localhost:0", "127.0.0.1:0"), ("[::1]:9", "[::1]:9")]
        {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), address);
        }
        for text in ["8080", ":8080"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddressError::PortAlone(8080)));
        }
        for text in ["127.0.0.1", "localhost"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddressError::NoPort(text.to_owned())));
        }
        for text in ["", ":", "host:8080", "127.0.0.1:65536", "127.0.0.1:", "::1", "http://127.0.0.1:8080"] {
            assert_eq!(text.parse::<ListenAddress>(), Err(ListenAddressError::Form), "{text}");
        }
    }
}
