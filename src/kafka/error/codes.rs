//! What the client's codes mean.

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

/// Whether an answer means that a right is missing.
pub(crate) fn is_denial(error: &ClientError) -> bool {
    let code = if let ClientError::AdminOp(code) = error { Some(*code) } else { error.rdkafka_error_code() };
    code.is_some_and(is_denied)
}

/// The same by its code.
pub(crate) fn is_denied(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed};
    matches!(code, ClusterAuthorizationFailed | TopicAuthorizationFailed | TransactionalIdAuthorizationFailed)
}

/// Whether there was no answer, or none yet: a new client may try an address that is dead first, and says that all brokers are down
/// before it has tried the others.
pub(crate) fn is_silence(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, RequestTimedOut, Resolve};
    let code = if let ClientError::AdminOp(code) = error { Some(*code) } else { error.rdkafka_error_code() };
    code.is_some_and(|code| {
        matches!(code, OperationTimedOut | RequestTimedOut | BrokerTransportFailure | AllBrokersDown | Resolve)
    })
}

/// Whether an answer means that another client has taken over our transactions. Brokers give the same answer to one whose transaction
/// they have ended for its age.
pub(super) fn is_fence(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Fenced | InvalidProducerEpoch | ProducerFenced)
}

/// Whether another client would get the same answer.
pub(super) fn lasts(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, InvalidMessageSize, InvalidTimestamp, InvalidTransactionTimeout,
        MessageSizeTooLarge, PolicyViolation, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
        UnsupportedVersion,
    };
    matches!(
        code,
        ClusterAuthorizationFailed
            | InvalidMessageSize
            | InvalidTimestamp
            | InvalidTransactionTimeout
            | MessageSizeTooLarge
            | PolicyViolation
            | TopicAuthorizationFailed
            | TransactionalIdAuthorizationFailed
            | UnsupportedVersion
    )
}
