//! Ids: `UUIDv5` over a namespace of the seed, so that anyone can predict them in any language.
//!
//! ```text
//! NS = uuid5(NAMESPACE_URL, "urn:mock-data-gen:v1:seed:<seed>")
//! id = uuid5(NS, "<kind>:<ordinal>")
//! ```
//!
//! ```
//! use mock_data_gen::generator::ids::{Ids, Kind};
//!
//! // Python: uuid5(uuid5(NAMESPACE_URL, "urn:mock-data-gen:v1:seed:42"), "bid-request:0")
//! assert_eq!(Ids::new(42).id(Kind::BidRequest, 0).to_string(), "63e8dea2-cc50-59e5-b81c-9da9621276bd");
//! ```

use sha1::block_api::compress;
use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

use crate::generator::version::STREAM_VERSION;

/// What an id names. The number behind it is an ordinal, but for [`Kind::User`] and [`Kind::Buyer`] a pool
/// member.
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
    /// A planned extra record that is no JSON. Its number, and that of the next two, is four times the ordinal and the stage's place.
    Malformed,
    /// A planned extra record that violates its schema.
    Invalid,
    /// A planned extra record without a value.
    Tombstone,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
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
        Self::Malformed,
        Self::Invalid,
        Self::Tombstone,
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
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::Tombstone => "tombstone",
        }
    }
}

/// The ids of one seed.
#[derive(Debug, Clone)]
pub struct Ids {
    /// By kind, in the order of [`Kind::ALL`].
    names: [Name; Kind::ALL.len()],
}

impl Ids {
    /// The namespace of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut hash = Sha1::new();
        hash.update(Uuid::NAMESPACE_URL.as_bytes());
        hash.update(format!("urn:mock-data-gen:v{STREAM_VERSION}:seed:{seed}"));
        let digest: [u8; 20] = hash.finalize().into();
        let [namespace @ .., _, _, _, _] = digest;
        let namespace = Builder::from_sha1_bytes(namespace).into_uuid();
        Self { names: Kind::ALL.map(|kind| Name::new(namespace, kind)) }
    }

    /// The id of a kind and number.
    #[must_use]
    pub fn id(&self, kind: Kind, number: u64) -> Uuid {
        self.names[kind as usize].id(number)
    }
}

/// What is hashed for all ids of a kind, up to the number: the namespace and `<kind>:`.
///
/// With the largest number it is 49 bytes long, so that it fits with SHA-1's padding into one block, which is laid out here by
/// hand: that takes half the time of hashing piece by piece.
#[derive(Debug, Clone)]
struct Name {
    block: [u8; 64],
    length: usize,
}

impl Name {
    fn new(namespace: Uuid, kind: Kind) -> Self {
        let mut block = [0; 64];
        let mut length = 0;
        for part in [namespace.as_bytes(), kind.name().as_bytes(), b":"] {
            block[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        Self { block, length }
    }

    fn id(&self, number: u64) -> Uuid {
        /// SHA-1's initial state (FIPS 180-4, section 5.3.1).
        const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
        let mut block = self.block;
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let length = self.length + digits.len();
        block[self.length..length].copy_from_slice(digits);
        // The padding: one bit, zeros, and the length in bits as the block's last 64 bits, of which 16 are enough.
        block[length] = 0x80;
        block[62..].copy_from_slice(&(length as u16 * 8).to_be_bytes());
        let mut state = INITIAL;
        compress(&mut state, &[block]);
        let mut bytes = [0; 16];
        for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *four = word.to_be_bytes();
        }
        Builder::from_sha1_bytes(bytes).into_uuid()
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
