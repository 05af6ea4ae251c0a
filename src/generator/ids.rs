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

mod digits;
mod sha1;

use ::sha1::block_api::compress;
use ::sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

pub(crate) use self::digits::{DigitBatch, Digits};
pub(crate) use self::sha1::{IdText, TextColumns};
use crate::generator::simd::{self, WIDTH};
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

    /// The ids of a kind and of [`WIDTH`] numbers as text, in columns.
    pub(crate) fn text_columns(&self, kind: Kind, digits: &DigitBatch) -> TextColumns {
        let name = &self.names[kind as usize];
        if !digits.is_long {
            return sha1::texts_of_digits(simd::level(), &name.words, name.length, &digits.columns);
        }
        let mut block = [[0; WIDTH]; 16];
        for (at, number) in digits.numbers.into_iter().enumerate() {
            for (column, word) in block.iter_mut().zip(words_of(&name.padded(number))) {
                column[at] = word;
            }
        }
        sha1::texts_of_blocks(simd::level(), &block)
    }

    /// The same, one after the other.
    pub(crate) fn texts(&self, kind: Kind, digits: &DigitBatch) -> [IdText; WIDTH] {
        in_rows(&self.text_columns(kind, digits))
    }
}

/// The texts of columns, one after the other.
pub(crate) fn in_rows(columns: &TextColumns) -> [IdText; WIDTH] {
    sha1::transposed(simd::level(), columns)
}

/// What is hashed for all ids of a kind, up to the number: the namespace and `<kind>:`.
///
/// With the largest number it is 49 bytes long, so that it fits with SHA-1's padding into one block, which is laid out here by
/// hand: that takes half the time of hashing piece by piece.
#[derive(Debug, Clone)]
struct Name {
    block: [u8; 64],
    /// The same, as big-endian words.
    words: [u32; 16],
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
        Self { block, words: words_of(&block), length }
    }

    fn id(&self, number: u64) -> Uuid {
        let mut state = sha1::INITIAL;
        compress(&mut state, &[self.padded(number)]);
        let mut bytes = [0; 16];
        for (four, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
            *four = word.to_be_bytes();
        }
        Builder::from_sha1_bytes(bytes).into_uuid()
    }

    /// The block that is hashed for a number.
    fn padded(&self, number: u64) -> [u8; 64] {
        let mut block = self.block;
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let length = self.length + digits.len();
        block[self.length..length].copy_from_slice(digits);
        // The padding: one bit, zeros, and the length in bits as the block's last 64 bits, of which 16 are enough.
        block[length] = 0x80;
        block[62..].copy_from_slice(&(length as u16 * 8).to_be_bytes());
        block
    }
}

/// The big-endian words of a block.
fn words_of(block: &[u8; 64]) -> [u32; 16] {
    let mut words = [0; 16];
    for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
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

        /// forall seeds, kinds and numbers of any length: each text is that of the id by itself.
        #[test]
        fn each_text_is_that_of_its_id(
            seed: u64,
            kind in prop::sample::select(Kind::ALL.to_vec()),
            numbers in prop::collection::vec((0..=20u32, any::<u64>()), 0..100),
        ) {
            let ids = Ids::new(seed);
            let number = |(digits, number): (u32, u64)| number % 10u64.checked_pow(digits).unwrap_or(u64::MAX);
            let numbers: Vec<u64> = numbers.into_iter().map(number).collect();
            let digits: Vec<Digits> = numbers.iter().map(|number| Digits::new(*number)).collect();
            let mut texts = Vec::new();
            for digits in digits.chunks(WIDTH) {
                texts.extend(ids.texts(kind, &DigitBatch::new(digits.iter().copied())).into_iter().take(digits.len()));
            }
            let expected: Vec<String> = numbers.iter().map(|number| ids.id(kind, *number).to_string()).collect();
            let texts: Vec<&str> = texts.iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
            prop_assert_eq!(texts, expected);
        }
    }
}
