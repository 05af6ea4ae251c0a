//! Ids: `UUIDv5` over a namespace of the seed, so that anyone can predict them in any language.
//!
//! ```text
//! NS = uuid5(NAMESPACE_URL, "urn:mock-data-gen:v1:seed:<seed>")
//! id = uuid5(NS, "<kind>:<ordinal>")
//! ```
//!
//! ```
//! use mock_data_gen::ids::{Ids, Kind};
//!
//! // Python: uuid5(uuid5(NAMESPACE_URL, "urn:mock-data-gen:v1:seed:42"), "bid-request:0")
//! assert_eq!(Ids::new(42).id(Kind::BidRequest, 0).to_string(), "63e8dea2-cc50-59e5-b81c-9da9621276bd");
//! ```

use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

use crate::spec::STREAM_VERSION;

/// What an id names. The number behind it is an ordinal, but for [`Kind::User`] and [`Kind::Buyer`] a pool member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bid request: `request_id` everywhere.
    BidRequest,
    /// A bid response: `response_id` everywhere.
    BidResponse,
    /// The bid in a response.
    Bid,
    /// The ad in a bid: `adid`.
    Ad,
    /// The bidder's own name for its response: `bidid`.
    BidId,
    /// The transaction: `source.tid`.
    Transaction,
    /// An impression.
    Impression,
    /// A click.
    Click,
    /// The last part of a click's URL.
    ClickUrl,
    /// A user of the pool.
    User,
    /// The same user as the buyer knows it.
    Buyer,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::BidRequest,
        Self::BidResponse,
        Self::Bid,
        Self::Ad,
        Self::BidId,
        Self::Transaction,
        Self::Impression,
        Self::Click,
        Self::ClickUrl,
        Self::User,
        Self::Buyer,
    ];

    /// The word before the colon. Part of the stream law.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BidRequest => "bid-request",
            Self::BidResponse => "bid-response",
            Self::Bid => "bid",
            Self::Ad => "ad",
            Self::BidId => "bidid",
            Self::Transaction => "transaction",
            Self::Impression => "impression",
            Self::Click => "click",
            Self::ClickUrl => "click-url",
            Self::User => "user",
            Self::Buyer => "buyer",
        }
    }
}

/// The ids of one seed.
#[derive(Debug, Clone)]
pub struct Ids {
    namespace: Uuid,
}

impl Ids {
    /// The namespace of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let name = format!("urn:mock-data-gen:v{STREAM_VERSION}:seed:{seed}");
        Self { namespace: uuid5(Uuid::NAMESPACE_URL, &[name.as_bytes()]) }
    }

    /// The id of a kind and number.
    #[must_use]
    pub fn id(&self, kind: Kind, number: u64) -> Uuid {
        let mut digits = [0; 20];
        uuid5(self.namespace, &[kind.name().as_bytes(), b":", decimal(number, &mut digits)])
    }
}

/// `UUIDv5` by the `sha1` crate, which uses the processor's SHA instructions where there are any.
fn uuid5(namespace: Uuid, name: &[&[u8]]) -> Uuid {
    let mut hash = Sha1::new();
    hash.update(namespace.as_bytes());
    for part in name {
        hash.update(part);
    }
    let digest: [u8; 20] = hash.finalize().into();
    let [bytes @ .., _, _, _, _] = digest;
    Builder::from_sha1_bytes(bytes).into_uuid()
}

/// The decimal digits of a number, written into the end of `buffer`.
fn decimal(mut number: u64, buffer: &mut [u8; 20]) -> &[u8] {
    let mut start = buffer.len();
    loop {
        start -= 1;
        buffer[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &buffer[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// forall seed s, number n, kind k: our id is the one that the `uuid` crate's own v5 gives by the published rule.
        #[test]
        fn ids_are_uuid_v5_by_the_published_rule(seed: u64, number: u64) {
            let root = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("urn:mock-data-gen:v1:seed:{seed}").as_bytes());
            let ids = Ids::new(seed);
            for kind in Kind::ALL {
                let name = format!("{}:{number}", kind.name());
                prop_assert_eq!(ids.id(kind, number), Uuid::new_v5(&root, name.as_bytes()));
            }
        }
    }
}
