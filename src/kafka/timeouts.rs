//! How long brokers are waited for, side by side.

use std::time::Duration;

/// How long the first answer of a broker is waited for, once something has failed meanwhile.
pub(crate) const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// The same where nothing has failed: by TLS and SASL, the first answer of a far broker takes ten round trips.
pub(crate) const FIRST_ANSWER_FAR: Duration = Duration::from_secs(30);
/// How long a connection may take of it.
pub(crate) const CONNECTION: Duration = Duration::from_secs(20);
/// A further answer may take so many times as long as the first one: it may come by a connection of its own, to another broker.
pub(crate) const FURTHER_ANSWER_TIMES: u32 = 5;
/// No further answer is waited for longer.
pub(crate) const FURTHER_ANSWER_MAX: Duration = Duration::from_secs(60);
/// How long a new topic may take to get its leaders.
pub(crate) const READY: Duration = Duration::from_secs(30);
/// How much longer it may take for each of its partitions, whose logs a broker makes one after the other once their leaders are named.
pub(crate) const CREATION: Duration = Duration::from_millis(20);
/// A topic that is not ready is looked at this often.
pub(crate) const SETTLING_WAIT: Duration = Duration::from_millis(50);
/// While the queue is full or drains, reports are taken this often.
pub(crate) const POLL_WAIT: Duration = Duration::from_millis(2);
/// A client that cannot go on is given this long to report the record that did it.
pub(crate) const REASON_WAIT: Duration = Duration::from_secs(1);
