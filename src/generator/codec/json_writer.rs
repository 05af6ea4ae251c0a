//! A document that is written front to back.
#![expect(
    clippy::inline_always,
    reason = "a record of each stage is built by code of its own, in which the stage is a constant"
)]

use std::mem;
use std::net::Ipv4Addr;

use crate::generator::ids::{IdText, Ids, Kind};
use crate::generator::money::Money;
use crate::generator::timestamp::{LastDay, TWO_DIGITS, Timestamp};

/// No document is longer: a test adds up the longest of all parts.
pub(crate) const BYTES_MAX: usize = 1_536;

/// Where a document has its ids from.
pub(crate) trait IdTexts {
    /// The text of the id of a kind and number.
    fn text(&self, kind: Kind, number: u64) -> IdText;
}

/// An id that is known already, so that a document need not compute it again. Its number is the document's own.
#[derive(Debug, Clone, Copy)]
pub struct KnownId<'a> {
    /// What it names: a thing of the auction, not of its user.
    pub kind: Kind,
    /// Its text.
    pub text: &'a [u8; 36],
}

/// Ids that are computed where they are written, but for one.
pub(crate) struct ComputedIds<'a> {
    pub(crate) ids: &'a Ids,
    pub(crate) known: KnownId<'a>,
}

impl IdTexts for ComputedIds<'_> {
    fn text(&self, kind: Kind, number: u64) -> IdText {
        if kind == self.known.kind {
            return *self.known.text;
        }
        let mut text = [0; 36];
        self.ids.id(kind, number).hyphenated().encode_lower(&mut text);
        text
    }
}

/// What a document is made of besides its auction.
pub(crate) struct Parts<'a, I> {
    pub(crate) ids: &'a I,
    pub(crate) day: &'a mut LastDay,
}

/// The end of a document.
pub(super) struct JsonWriter<'a, I> {
    parts: Parts<'a, I>,
    /// The room that is left.
    rest: &'a mut [u8],
}

impl<'a, I: IdTexts> JsonWriter<'a, I> {
    /// A writer into room for a document, which is at least [`BYTES_MAX`] long.
    pub(super) fn new(parts: Parts<'a, I>, room: &'a mut [u8]) -> Self {
        Self { parts, rest: room }
    }

    /// The room that is left.
    #[inline]
    pub(super) fn left(self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        let (room, rest) = mem::take(&mut self.rest).split_at_mut(bytes.len());
        room.copy_from_slice(bytes);
        self.rest = rest;
    }

    /// The first `length` of these bytes: a copy of a length that is known takes half the time.
    #[inline(always)]
    fn first<const N: usize>(&mut self, length: usize, bytes: [u8; N]) {
        let rest = mem::take(&mut self.rest);
        rest[..N].copy_from_slice(&bytes);
        self.rest = &mut rest[length..];
    }

    /// A constant, or a text that is escaped already.
    #[inline(always)]
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes());
        self
    }

    /// A text of few bytes that is escaped already.
    #[inline]
    pub(super) fn short(&mut self, text: &str) -> &mut Self {
        // Byte by byte: a call for a few bytes takes longer.
        let (room, rest) = mem::take(&mut self.rest).split_at_mut(text.len());
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.rest = rest;
        self
    }

    /// An address, in decimals with dots.
    #[inline]
    pub(super) fn ip(&mut self, address: Ipv4Addr) {
        let [first, second, third, fourth] = address.octets();
        self.number(first);
        for octet in [second, third, fourth] {
            self.text(".").number(octet);
        }
    }

    #[inline(always)]
    pub(super) fn id(&mut self, kind: Kind, number: u64) {
        let text = self.parts.ids.text(kind, number);
        self.bytes(&text);
    }

    #[inline]
    pub(super) fn number(&mut self, number: impl Into<u32>) {
        let number = number.into();
        if number < 10_000 {
            let zeros = 3 - usize::from(number > 9) - usize::from(number > 99) - usize::from(number > 999);
            let digits = u32::from_le_bytes(four_digits(number as u16)) >> (8 * zeros);
            self.first(4 - zeros, digits.to_le_bytes());
        } else {
            self.bytes(itoa::Buffer::new().format(number).as_bytes());
        }
    }

    /// An amount with exactly two decimals.
    #[inline]
    pub(super) fn cents(&mut self, amount: Money) {
        let cents = amount.cents();
        match u32::try_from(cents / 100) {
            Ok(whole) => self.number(whole),
            Err(_) => self.bytes(itoa::Buffer::new().format(cents / 100).as_bytes()),
        }
        let [tens, ones] = TWO_DIGITS[(cents % 100) as usize];
        self.bytes(&[b'.', tens, ones]);
    }

    /// Degrees with exactly four decimals.
    #[inline]
    pub(super) fn degrees(&mut self, e4: i32) {
        self.first(usize::from(e4 < 0), [b'-']);
        let e4 = e4.unsigned_abs();
        self.number(e4 / 10_000);
        let [a, b, c, d] = four_digits((e4 % 10_000) as u16);
        self.bytes(&[b'.', a, b, c, d]);
    }

    /// A time in milliseconds since 1970.
    #[inline]
    pub(super) fn time(&mut self, ms: i64) {
        let text = self.parts.day.text(Timestamp(ms));
        self.bytes(&text);
    }
}

/// The digits of a number below 10,000.
#[inline]
fn four_digits(number: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (TWO_DIGITS[usize::from(number / 100)], TWO_DIGITS[usize::from(number % 100)]);
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::openrtb::Degrees;

    /// What a document holds after one step.
    fn written(step: impl Fn(&mut JsonWriter<'_, ComputedIds<'_>>)) -> String {
        let (ids, mut out) = (Ids::new(42), vec![0; BYTES_MAX]);
        let text = &[b'x'; 36];
        let ids = ComputedIds { ids: &ids, known: KnownId { kind: Kind::BidRequest, text } };
        let mut day = LastDay::default();
        let mut writer = JsonWriter::new(Parts { ids: &ids, day: &mut day }, &mut out);
        step(&mut writer);
        let left = writer.left();
        out.truncate(BYTES_MAX - left);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn amounts_and_degrees_read_like_their_reference() {
        for number in (0..2_000).chain([10_099, 123_456, 99_999_999]) {
            let amount = Money::from_cents(number);
            assert_eq!(written(|to| to.cents(amount)), amount.to_string());
            for e4 in [number as i32, -(number as i32)] {
                assert_eq!(written(|to| to.degrees(e4)), Degrees(e4).to_string());
            }
        }
    }

    #[test]
    fn the_known_id_is_copied_and_no_other() {
        assert_eq!(written(|to| to.id(Kind::BidRequest, 0)), "x".repeat(36));
        assert_eq!(written(|to| to.id(Kind::Bid, 0)), Ids::new(42).id(Kind::Bid, 0).to_string());
    }
}
