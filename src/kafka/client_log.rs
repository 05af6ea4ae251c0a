//! The client's own log.

use rdkafka::config::RDKafkaLogLevel;

/// Passes librdkafka's log on. Broken connections are told by the error callback already.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", "{facility}: {message}");
        }
        // Nothing has that level but what the property `debug` asks for.
        RDKafkaLogLevel::Debug => tracing::info!(target: "librdkafka::debug", "{facility}: {message}"),
        _ => tracing::debug!(target: "librdkafka", "{facility}: {message}"),
    }
}

/// An error's text without "(after 0ms in state CONNECT, 1 identical error(s) suppressed)", which helps nobody.
pub(crate) fn without_statistics(reason: &str) -> &str {
    reason.split(" (after").next().unwrap_or(reason)
}

/// What a line of the log says of a connection that broke, or was not made in time: that is no error to the client.
/// `[thrd:...]: host:port/id: Connection setup timed out`.
pub(crate) fn failure<'a>(facility: &str, message: &'a str) -> Option<&'a str> {
    message.split_once("]: ").filter(|_| facility == "FAIL").map(|(_, text)| text)
}
