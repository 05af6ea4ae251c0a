//! `health`: asks a running mock-data-gen how it is, for images that have no other program.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::cli::exit::Failure;
use crate::cli::http::ListenAddress;
use crate::cli::output::terminal::to_stdout;

/// How long to wait for a connection, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of an answer that is not ours, so much is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Options of `health`.
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// What to ask, such as `http://127.0.0.1:8080/readyz` [default: /livez at the address of --listen]
    #[arg(value_name = "URL")]
    url: Option<Url>,
    /// The address that the run listens on
    #[arg(long, env = "MDG_LISTEN", value_name = "ADDR:PORT")]
    listen: Option<ListenAddress>,
}

/// What to ask, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Url {
    host: String,
    path: String,
}

/// A text that is no URL that can be asked.
#[derive(Debug, thiserror::Error)]
#[error("give HOST:PORT or http://HOST:PORT/PATH, such as http://127.0.0.1:8080/readyz (a run does not speak https)")]
struct UrlError;

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.strip_prefix("http://").unwrap_or(text);
        let (host, path) = text.split_once('/').unwrap_or((text, "livez"));
        let (name, port) = host.rsplit_once(':').ok_or(UrlError)?;
        // A colon in a name is one of an IPv6 address, which has brackets.
        let is_host = !name.is_empty() && (!name.contains(':') || name.starts_with('[') && name.ends_with(']'));
        let is_plain = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_host && port.parse::<u16>().is_ok_and(|port| port > 0) && is_plain(text) {
            Ok(Self { host: host.to_owned(), path: format!("/{path}") })
        } else {
            Err(UrlError)
        }
    }
}

/// Succeeds if the answer is 200.
pub(crate) fn health(args: &HealthArgs) -> Result<(), Failure> {
    let by_address = || args.listen.map(|address| Url { host: address.to_string(), path: "/livez".to_owned() });
    let nowhere = || Failure::Usage("nobody is named: give a URL, or --listen with the address of the run".to_owned());
    let url = &args.url.clone().or_else(by_address).ok_or_else(nowhere)?;
    let unhealthy = |reason: String| Failure::Unhealthy { url: format!("http://{}{}", url.host, url.path), reason };
    let answer = ask(url).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => unhealthy(format!("{error}: does a run listen there (--listen)?")),
        _ => unhealthy(error.to_string()),
    })?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim_end());
    let mut status_line = answer.lines().next().unwrap_or_default().split(' ');
    match (status_line.next(), status_line.next()) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some("200")) => Ok(to_stdout(&format!("{body}\n"))?),
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(status)) => Err(unhealthy(format!("{status} {body}"))),
        _ => Err(unhealthy("no answer that HTTP knows".to_owned())),
    }
}

fn ask(url: &Url) -> io::Result<String> {
    let mut stream = connect(&url.host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", url.path, url.host)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Connects to the first address of a host that takes a connection: `localhost` has one of each kind.
fn connect(host: &str) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "no such address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&reachable(address), PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// An address that stands for all of a machine's own is asked on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_for_its_liveness_and_a_url_for_what_it_says() {
        let url = |text: &str| text.parse::<Url>().map(|url| (url.host, url.path)).unwrap();
        assert_eq!(url("127.0.0.1:8080"), ("127.0.0.1:8080".to_owned(), "/livez".to_owned()));
        assert_eq!(url("http://[::1]:8080"), ("[::1]:8080".to_owned(), "/livez".to_owned()));
        assert_eq!(url("http://localhost:8080/readyz"), ("localhost:8080".to_owned(), "/readyz".to_owned()));
        for text in
            ["", "here", "http://", "https://127.0.0.1:1/livez", "::1:80", "here:0", "here:http", "a b:1", "here:1/ x"]
        {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        let asked = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(["0.0.0.0:1", "[::]:2", "10.0.0.1:3"].map(asked), ["127.0.0.1:1", "[::1]:2", "10.0.0.1:3"]);
    }
}
