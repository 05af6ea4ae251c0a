//! Blocking calls of the client, each on a thread beside: one request may live for the whole patience, and a signal is seen all the same.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;

use super::error::KafkaError;

/// A reason to give up is looked for this often.
const LOOK: Duration = Duration::from_millis(20);
/// The client is given this much more than it asked for: its waits follow the wall clock, and last longer where that is stepped back.
const OVERTIME: Duration = Duration::from_secs(2);

/// Waits for a blocking call that was told to end `within` some time; [`KafkaError::Stopped`] if `give_up` says so meanwhile. The thread
/// of a call that was given up ends with the call, which nobody waits for.
pub(crate) fn beside<T: Send + 'static>(
    within: Duration,
    give_up: impl Fn() -> bool,
    call: impl FnOnce() -> KafkaResult<T> + Send + 'static,
) -> Result<KafkaResult<T>, KafkaError> {
    let (sender, receiver) = sync_channel(1);
    let begin = Instant::now();
    let thread = thread::Builder::new().name("kafka-call".to_owned());
    let started = thread.spawn(move || {
        // Whoever gave up does not listen any more.
        let _ = sender.send(call());
    });
    started.map_err(|error| ClientError::ClientCreation(format!("Failed to create thread: {error}")))?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Timeout) if give_up() => return Err(KafkaError::Stopped),
            Err(RecvTimeoutError::Timeout) if begin.elapsed() < within + OVERTIME => {}
            Err(_) => return Ok(Err(ClientError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_waits_is_given_up() {
        let never = || {
            thread::sleep(Duration::from_secs(600));
            Ok(())
        };
        let given_up = beside(Duration::from_secs(600), || true, never);
        assert!(matches!(given_up, Err(KafkaError::Stopped)));
        let overdue = beside(Duration::ZERO, || false, never).unwrap();
        assert!(matches!(overdue, Err(ClientError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))));
        assert_eq!(beside(Duration::ZERO, || false, || Ok(7)).unwrap().unwrap(), 7);
    }
}
