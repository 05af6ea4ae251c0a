//! Why brokers that are reached let nobody in.

/// What it means that a broker lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalCause {
    /// This client does not know who signed the broker's certificate, or the certificate is another host's.
    #[error("the broker's certificate is not trusted")]
    Certificate,
    /// The client speaks TLS, and this listener does not.
    #[error("the broker does not speak TLS at this address")]
    NoTls,
    /// Broker and client agree on no TLS connection.
    #[error("the broker makes no TLS connection with this client")]
    Handshake,
    /// The broker does not accept the mechanism, the user or the password.
    #[error("the broker refused to authenticate this client")]
    Authentication,
    /// The connection broke where a TLS listener hangs up on a client that does not speak TLS.
    #[error("the broker closed the connection before it answered")]
    ClosedUnanswered,
    /// The connection broke where a SASL listener hangs up on a client that sends no password.
    #[error("the broker closed the connection at its first request")]
    ClosedAtFirstRequest,
}
