//! A document that is written front to back.

use crate::generator::ids::{Ids, Kind};
use crate::generator::money::Money;
use crate::generator::timestamp::Timestamp;

/// Space that is asked for at once; the longest document is shorter.
const BYTES_MAX: usize = 1_536;

/// An id that is known already, so that a document need not compute it again. Its number is the document's own.
#[derive(Debug, Clone, Copy)]
pub struct KnownId<'a> {
    /// What it names: a thing of the auction, not of its user.
    pub kind: Kind,
    /// Its text.
    pub text: &'a [u8; 36],
}

/// The end of a document.
pub(super) struct JsonWriter<'a> {
    ids: &'a Ids,
    known: KnownId<'a>,
    out: &'a mut Vec<u8>,
}

impl<'a> JsonWriter<'a> {
    pub(super) fn new(ids: &'a Ids, known: KnownId<'a>, out: &'a mut Vec<u8>) -> Self {
        out.reserve(BYTES_MAX);
        Self { ids, known, out }
    }

    /// A constant, or a text that is escaped already.
    #[inline]
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn id(&mut self, kind: Kind, number: u64) {
        if kind == self.known.kind {
            self.out.extend_from_slice(self.known.text);
        } else {
            let mut text = [0; 36];
            self.ids.id(kind, number).hyphenated().encode_lower(&mut text);
            self.out.extend_from_slice(&text);
        }
    }

    #[inline]
    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    /// An amount with exactly two decimals.
    pub(super) fn cents(&mut self, amount: Money) {
        let cents = amount.cents();
        self.number(cents / 100);
        let [_, _, tens, ones] = four_digits((cents % 100) as u16);
        self.out.extend_from_slice(&[b'.', tens, ones]);
    }

    /// Degrees with exactly four decimals.
    pub(super) fn degrees(&mut self, e4: i32) {
        if e4 < 0 {
            self.out.push(b'-');
        }
        let e4 = e4.unsigned_abs();
        self.number(e4 / 10_000);
        let [a, b, c, d] = four_digits((e4 % 10_000) as u16);
        self.out.extend_from_slice(&[b'.', a, b, c, d]);
    }

    /// A time in milliseconds since 1970.
    pub(super) fn time(&mut self, ms: i64) {
        self.out.extend_from_slice(&Timestamp(ms).text());
    }
}

/// The digits of a number below 10,000.
fn four_digits(number: u16) -> [u8; 4] {
    [number / 1_000, number / 100 % 10, number / 10 % 10, number % 10].map(|digit| b'0' + digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::openrtb::Degrees;

    /// What a document holds after one step.
    fn written(step: impl Fn(&mut JsonWriter<'_>)) -> String {
        let (ids, mut out) = (Ids::new(42), Vec::new());
        let text = &[b'x'; 36];
        step(&mut JsonWriter::new(&ids, KnownId { kind: Kind::BidRequest, text }, &mut out));
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
