//! What callgrind counts: `make test-instructions`. A fixed small window, its plans, its ids and its documents apart.
//!
//! Instructions are the same on every machine, where time is not. SHA-1 is the software's here, because callgrind's processor has no
//! instruction for it.
#![allow(clippy::print_stdout, reason = "so that nothing is optimised away")]
#![allow(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use mock_data_gen::generator::auction::{Auction, Auctions};
use mock_data_gen::generator::codec::{JsonEncoder, KnownId};
use mock_data_gen::generator::ids::{Ids, Kind};
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::simd;
use mock_data_gen::generator::spec::{Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};

const AUCTIONS: u64 = 500;

#[inline(never)]
fn measured_plans(auctions: &Auctions) -> i64 {
    (0..AUCTIONS).map(|n| black_box(auctions.plan(n)).request_ms).sum()
}

#[inline(never)]
fn measured_ids(ids: &Ids) -> u64 {
    (0..AUCTIONS).map(|n| u64::from(ids.id(Kind::BidRequest, n).as_bytes()[15])).sum()
}

#[inline(never)]
fn measured_documents(json: &JsonEncoder, auctions: &[Auction<'_>], out: &mut Vec<u8>) {
    let known = KnownId { kind: Kind::BidRequest, text: &[b'0'; 36] };
    for auction in auctions {
        for stage in Stage::ALL {
            json.encode(auction, stage, known, out);
        }
    }
}

#[inline(never)]
fn measured_records(stream: &Stream) -> u64 {
    let (mut records, mut record, mut bytes) = (stream.records(Window::auctions(0, AUCTIONS)), Record::default(), 0);
    while records.next_into(&mut record) {
        bytes += record.value.len() as u64;
    }
    bytes
}

fn main() {
    // The narrowest vector instructions, which every machine of a kind has.
    simd::choose(simd::available()[0]).expect("they are available");
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    let auctions = stream.auctions();
    let drawn: Vec<Auction<'_>> = (0..AUCTIONS).map(|n| auctions.at(n)).collect();
    let mut out = Vec::with_capacity(2 << 20);
    let plans = measured_plans(auctions);
    let ids = measured_ids(auctions.ids());
    measured_documents(&JsonEncoder::new(auctions), &drawn, &mut out);
    println!("{plans} {ids} {} {}", out.len(), measured_records(&stream));
}
