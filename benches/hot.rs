//! The functions that every record goes through, each alone: `make bench-hot`.
#![allow(clippy::expect_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mock_data_gen::generator::auction::Auctions;
use mock_data_gen::generator::auction::FUNNEL_LANE;
use mock_data_gen::generator::codec::{JsonEncoder, KnownId, SerdeEncoder};
use mock_data_gen::generator::ids::{Ids, Kind};
use mock_data_gen::generator::random::Lanes;
use mock_data_gen::generator::record::{Record, murmur2};
use mock_data_gen::generator::spec::{Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::generator::timestamp::Timestamp;

/// A number that is another one each time.
fn numbers() -> impl FnMut() -> u64 {
    let mut n = 0;
    move || {
        n += 1;
        n
    }
}

fn parts(c: &mut Criterion) {
    let (ids, lanes) = (Ids::new(42), Lanes::new("auction", 42));
    let auctions = Auctions::new(&StreamSpec::default());
    let mut n = numbers();
    c.bench_function("draw: a lane of 64 words", |b| b.iter(|| lanes.lane(black_box(n()), FUNNEL_LANE)));
    c.bench_function("ids: an id", |b| b.iter(|| ids.id(Kind::BidRequest, black_box(n()))));
    c.bench_function("auction: a plan", |b| b.iter(|| auctions.plan(black_box(n()))));
    c.bench_function("auction: all but its user", |b| b.iter(|| auctions.at(black_box(n())).article));
    c.bench_function("auction: a user", |b| b.iter(|| auctions.user(black_box(n() % 100_000)).lat_e4));
    c.bench_function("record: murmur2 of a key", |b| b.iter(|| murmur2(black_box(&[b'a'; 36]))));
    c.bench_function("timestamp: its text", |b| {
        b.iter(|| Timestamp(black_box(1_767_225_600_000 + n().cast_signed())).text());
    });
}

fn documents(c: &mut Criterion) {
    let auctions = Auctions::new(&StreamSpec::default());
    let (json, reference) = (JsonEncoder::new(&auctions), SerdeEncoder::new(auctions.ids()));
    let clicked = (0..).take(1_000_000).find(|&n| auctions.plan(n).click_ms.is_some()).expect("a click");
    let auction = auctions.at(clicked);
    let known = KnownId { kind: Kind::BidRequest, text: &[b'0'; 36] };
    for stage in Stage::ALL {
        let mut out = Vec::new();
        json.encode(&auction, stage, known, &mut out);
        let mut group = c.benchmark_group(format!("encode: a {stage}"));
        group.throughput(Throughput::Bytes(out.len() as u64));
        group.bench_function("fragments", |b| {
            b.iter(|| {
                out.clear();
                json.encode(black_box(&auction), stage, known, &mut out)
            });
        });
        group.bench_function("serde_json", |b| {
            b.iter(|| {
                out.clear();
                reference.encode(black_box(&auction), stage, &mut out)
            });
        });
        group.finish();
    }
}

fn walks(c: &mut Criterion) {
    let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    let mut records = stream.records(Window::unbounded(0));
    let mut record = Record::default();
    c.bench_function("stream: the next record, made", |b| b.iter(|| records.next_into(black_box(&mut record))));
    let mut positions = stream.records(Window::unbounded(0));
    c.bench_function("stream: the next record, passed over", |b| b.iter(|| positions.next_position()));
    c.bench_function("stream: the first record of auction 10^12", |b| {
        b.iter(|| stream.records(Window::unbounded(black_box(1_000_000_000_000))).next_into(&mut record));
    });
}

criterion_group!(benches, parts, documents, walks);
criterion_main!(benches);
