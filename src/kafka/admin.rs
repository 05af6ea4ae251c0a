//! Asking brokers as an administrator does.

use std::time::Duration;

use rdkafka::admin::AdminOptions;
use rdkafka::error::KafkaError as ClientError;
use tokio::time::sleep;

use super::client_context::LastError;
use super::error::KafkaError;
use super::refusal::Refusal;
use crate::log::shutdown::Shutdown;

/// A signal is looked for this often.
const STOP_WAIT: Duration = Duration::from_millis(50);

/// How long an answer is waited for.
pub(crate) fn options(within: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(within)).operation_timeout(Some(within))
}

/// Waits for an answer of the admin client, for a signal, or until it has seen that brokers let nobody in.
pub(crate) fn ask<T>(
    action: &str,
    within: Duration,
    (stop, seen): (&Shutdown, &LastError),
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, KafkaError> {
    let refused = |source: ClientError| KafkaError::refused(action, source, within);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| refused(ClientError::AdminOpCreation(error.to_string())))?;
    runtime.block_on(async {
        tokio::select! {
            answer = answer => answer.map_err(refused),
            () = asked(stop) => Err(KafkaError::Stopped),
            refusal = refused_by(seen) => Err(refusal.into()),
        }
    })
}

async fn asked(stop: &Shutdown) {
    while !stop.is_requested() {
        sleep(STOP_WAIT).await;
    }
}

async fn refused_by(seen: &LastError) -> Refusal {
    loop {
        if let Some(refusal) = seen.refusal() {
            return refusal;
        }
        sleep(STOP_WAIT).await;
    }
}
