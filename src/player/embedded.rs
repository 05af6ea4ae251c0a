//! A run into a broker inside this process, read back by a plain consumer.

use std::thread;
use std::time::Duration;

use super::error::RunError;
use super::observer::Notice;
use super::read_back::ReadBack;
use super::run_plan::EmbeddedPlan;
use super::session::Session;
use crate::kafka::{Cluster, Embedded, Existing, Target, Transfer};
use crate::metrics::State;
use crate::sink::kafka::Kafka;

/// While the broker is held, a signal is looked for this often.
const HOLD_WAIT: Duration = Duration::from_millis(50);

/// Plays into a broker inside this process, and reads everything back.
pub(super) fn play_embedded(session: &Session<'_>, embedded: &EmbeddedPlan) -> Result<(), RunError> {
    let Session { plan, stop, metrics, observer } = session;
    let stream = &plan.stream;
    Embedded::require_fit(stream, plan.window, stop)?;
    let broker = Embedded::start(stream.layout())?;
    let address = match embedded.port {
        Some(port) => broker.open(port).map_err(|source| RunError::EmbeddedPort { port, source })?,
        None => broker.brokers(),
    };
    observer.notice(Notice::EmbeddedBroker(&address));
    let target = Target {
        brokers: &broker.brokers(),
        properties: &plan.properties,
        // Uncompressed, so that what fits can be said beforehand.
        transfer: Transfer { compression: "none", ..session.transfer() },
        layout: stream.layout(),
        topics: session.topic_settings(stream, Existing::Ours),
        stop,
    };
    let cluster = Cluster::prepare(&target)?;
    let beginning = plan.assignment().into();
    let mut sink = Kafka::new(&cluster, stop, metrics)?;
    let outcome = session.play_into(stream, &beginning, &mut sink, None, true)?;
    observer.report(&session.report_of(stream, &beginning, &outcome).embedded(address.clone()))?;
    session.write_answer_key(stream, &beginning, &outcome)?;
    let Some(read) = ReadBack::read(&cluster, stream, plan.window, stop)? else {
        observer.notice(Notice::NotReadBack);
        return session.verdict(&outcome);
    };
    let (records, fingerprint, equal) = (read.records(), read.fingerprint(), read.is_equal_to(&outcome));
    observer.notice(Notice::ReadBack { records, fingerprint, equal });
    if !equal {
        return Err(RunError::ReadBack);
    }
    if let Some(clicked) = read.clicked {
        observer.notice(Notice::FirstFunnel(stream, clicked));
    }
    if embedded.hold && !stop.is_requested() {
        observer.holding(&address)?;
        metrics.enter(State::Holding);
        while !stop.is_requested() {
            thread::sleep(HOLD_WAIT);
        }
        return Ok(());
    }
    session.verdict(&outcome)
}
