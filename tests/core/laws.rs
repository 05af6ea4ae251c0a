//! Laws of the stream, over random specs and windows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use mock_data_gen::generator::auction::Auctions;
use mock_data_gen::generator::auction::FUNNEL_LANE;
use mock_data_gen::generator::codec::SerdeEncoder;
use mock_data_gen::generator::ids::{Ids, Kind};
use mock_data_gen::generator::random::{Lanes, Words};
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{KeyBy, Layout, Partitions, Rate, Stage, StreamSpec, Topic};
use mock_data_gen::generator::stream::{Assignment, KeyedPosition, Position, Shard, Stream, Window};
use proptest::prelude::*;

use crate::specs::{order, plain_spec_and_window, rate, records, spec, spec_and_window};

proptest! {
    /// forall specs, windows: each value is, byte for byte, what serde_json prints of the wire shapes.
    #[test]
    fn the_fast_encoder_equals_its_reference((spec, start, count) in plain_spec_and_window()) {
        let stream = Stream::new(&spec, &Layout::default());
        let reference = SerdeEncoder::new(stream.auctions().ids());
        let mut document = Vec::new();
        for record in stream.records(Window::auctions(start, count)) {
            document.clear();
            prop_assert!(reference.encode(&stream.auctions().at(record.ordinal), record.stage, &mut document));
            prop_assert_eq!(String::from_utf8_lossy(&record.value), String::from_utf8_lossy(&document));
        }
    }

    /// forall specs s, windows w: w of s is the same sequence each time, and its order is total.
    #[test]
    fn a_window_is_a_constant_in_a_total_order((spec, start, count) in spec_and_window()) {
        let window = Window::auctions(start, count);
        let once = records(&spec, &Layout::default(), window);
        prop_assert!(once.is_sorted_by(|a, b| order(a) < order(b)));
        prop_assert_eq!(once, records(&spec, &Layout::default(), window));
    }

    /// forall specs s, windows [a, b), [b, c): together they hold exactly the records of [a, c).
    #[test]
    fn adjacent_windows_hold_the_whole((spec, start, count) in spec_and_window(), cut in 0..150u64) {
        let cut = cut.min(count);
        let layout = Layout::default();
        let whole = records(&spec, &layout, Window::auctions(start, count));
        let mut parts = records(&spec, &layout, Window::auctions(start, cut));
        parts.extend(records(&spec, &layout, Window::auctions(start + cut, count - cut)));
        parts.sort_by_key(order);
        prop_assert_eq!(whole, parts);
    }

    /// forall specs with faults and keys of any kind, windows: each record that is made side by side with others is the one that its
    /// position alone defines.
    #[test]
    fn records_side_by_side_are_those_of_their_positions((spec, start, count) in spec_and_window()) {
        let stream = Stream::new(&spec, &Layout::default());
        let mut alone = Record::default();
        let mut keyed = stream.keyed_positions(Window::auctions(start, count));
        for record in stream.records(Window::auctions(start, count)) {
            let position = Position::from(&record);
            stream.fill(position, &mut alone);
            prop_assert_eq!(&record, &alone);
            let key = record.key.as_slice().try_into().unwrap();
            prop_assert_eq!(keyed.next(), Some(KeyedPosition { position, key, partition: record.partition }));
        }
        prop_assert_eq!(keyed.next(), None);
    }

    /// forall specs s, windows w, n in w: the records of auction n, alone, are its records in w.
    #[test]
    fn seeking_equals_iterating((spec, start, count) in spec_and_window(), pick: u64) {
        prop_assume!(count > 0);
        let layout = Layout::default();
        let ordinal = start + pick % count;
        let mut iterated = records(&spec, &layout, Window::auctions(start, count));
        iterated.retain(|record| record.ordinal == ordinal);
        prop_assert_eq!(iterated, records(&spec, &layout, Window::auctions(ordinal, 1)));
    }

    /// forall specs s, records r of s: r is found by stage, timestamp and key; with another key or time it is not.
    #[test]
    fn a_record_that_is_read_finds_its_position((spec, start, count) in spec_and_window(), byte in 0..36usize) {
        let stream = Stream::new(&spec, &Layout::default());
        // A fast stream has millions of auctions within a click's lag.
        prop_assume!(spec.events_per_second.micros() <= 5_000_000_000);
        for record in stream.records(Window::auctions(start, count.min(8))) {
            let found = stream.locate(record.stage, record.timestamp_ms, &record.key);
            let position = Position::from(&record);
            prop_assert!(found.contains(&position), "{:?}", found);
            prop_assert_eq!(stream.partition(position), record.partition);
            // Only where records repeat or users are keys there is more than one.
            let alone = spec.key_by != KeyBy::User && found.iter().all(|found| found.ordinal == record.ordinal);
            prop_assert!(alone || spec.key_by == KeyBy::User);
            let mut key = record.key.clone();
            key[byte] ^= 1;
            prop_assert_eq!(stream.locate(record.stage, record.timestamp_ms, &key), []);
            prop_assert!(!stream.locate(record.stage, record.timestamp_ms + 1, &record.key).contains(&position));
        }
    }

    /// forall specs s, windows w, stages t: the positions of t in w are those of its records, in order.
    #[test]
    fn positions_are_those_of_the_records((spec, start, count) in spec_and_window()) {
        let stream = Stream::new(&spec, &Layout::default());
        let window = Window::auctions(start, count);
        let all: Vec<Position> = stream.records(window).map(|record| Position::from(&record)).collect();
        for stage in Stage::ALL {
            let of_stage: Vec<Position> = all.iter().copied().filter(|position| position.stage == stage).collect();
            prop_assert_eq!(stream.positions(stage, window).collect::<Vec<_>>(), of_stage.clone());
            prop_assert!(stream.positions_of_auction(start).into_iter().all(|position| count == 0 || all.contains(&position)));
        }
    }

    /// forall specs s, windows w, positions p in w: w from p on is w without what stands before p.
    #[test]
    fn a_window_goes_on_from_any_position((spec, start, count) in spec_and_window(), pick: prop::sample::Index) {
        let layout = Layout::default();
        let (stream, window) = (Stream::new(&spec, &layout), Window::auctions(start, count));
        let whole = records(&spec, &layout, window);
        prop_assume!(!whole.is_empty() && spec.events_per_second.micros() < 100_000_000_000);
        let at = pick.index(whole.len());
        let (emit_ms, ordinal, stage, copy) = order(&whole[at]);
        let rest: Vec<Record> = stream.records_from(window, Position { emit_ms, ordinal, stage, copy }).collect();
        prop_assert_eq!(&rest[..], &whole[at..]);
    }

    /// forall specs s, layouts l, windows w, N of 1, 2, 3, 5: each partition of w is whole in the shard that owns it, byte for byte
    /// and in order, and in no other.
    #[test]
    fn every_partition_is_the_same_for_any_number_of_workers(
        (spec, start, count) in spec_and_window(),
        counts in prop::array::uniform4(1..9u32),
        workers in prop::sample::select(vec![1u32, 2, 3, 5]),
    ) {
        let window = Window::auctions(start, count);
        let layout = Layout::default().with_partitions(counts.map(|count| Partitions::new(count).unwrap()));
        let stream = Stream::new(&spec, &layout);
        let by_partition = |records: Vec<Record>| {
            let mut partitions: BTreeMap<(Stage, u32), Vec<Record>> = BTreeMap::new();
            for record in records {
                partitions.entry((record.stage, record.partition)).or_default().push(record);
            }
            partitions
        };
        let whole = by_partition(stream.records(window).collect());
        let mut together = BTreeMap::new();
        for index in 0..workers {
            let shard: Shard = format!("{index}/{workers}").parse().unwrap();
            let part = Assignment::new(window, shard, Default::default());
            for (partition, records) in by_partition(stream.assigned_records(&part).collect()) {
                prop_assert!(shard.owns(partition.1) && partition.1 % workers == index);
                prop_assert!(together.insert(partition, records).is_none(), "two workers own {:?}", partition);
            }
        }
        prop_assert_eq!(whole, together);
    }

    /// forall specs s, windows w, and for each partition a number of records that it holds: what is left to play is, by partition,
    /// exactly what follows.
    #[test]
    fn each_partition_goes_on_behind_what_it_holds(
        (spec, start, count) in spec_and_window(),
        held in prop::collection::vec(any::<prop::sample::Index>(), 24),
    ) {
        prop_assume!(spec.events_per_second.micros() < 100_000_000_000);
        let layout = Layout::default();
        let (stream, window) = (Stream::new(&spec, &layout), Window::auctions(start, count));
        let whole = records(&spec, &layout, window);
        let mut last: [Vec<Option<Position>>; 4] = std::array::from_fn(|_| vec![None; 6]);
        let mut expected: BTreeSet<_> = whole.iter().map(order).collect();
        for stage in Stage::ALL {
            for partition in 0..6u32 {
                let of_it = |record: &&Record| (record.stage, record.partition) == (stage, partition);
                let all: Vec<_> = whole.iter().filter(of_it).map(order).collect();
                let count = held[stage.index() * 6 + partition as usize].index(all.len() + 1);
                for &(emit_ms, ordinal, stage, copy) in &all[..count] {
                    last[stage.index()][partition as usize] = Some(Position { emit_ms, ordinal, stage, copy });
                    expected.remove(&(emit_ms, ordinal, stage, copy));
                }
            }
        }
        let part = Assignment::new(window, Shard::WHOLE, last);
        let rest: Vec<Record> = stream.assigned_records(&part).collect();
        let expected: Vec<&Record> = whole.iter().filter(|record| expected.contains(&order(record))).collect();
        prop_assert_eq!(rest.iter().collect::<Vec<_>>(), expected);
    }

    /// forall layouts l, m: placing a stream by l or by m changes topics and partitions only.
    #[test]
    fn a_layout_only_places((spec, start, count) in spec_and_window(), counts in prop::array::uniform4(1..500u32)) {
        let window = Window::auctions(start, count);
        let mut index = 0;
        let topics = Layout::default().topics().clone().map(|topic| {
            index += 1;
            Topic { name: format!("{}-{index}", topic.name).parse().unwrap(), partitions: Partitions::new(counts[index - 1]).unwrap() }
        });
        let layout = Layout::new(topics).unwrap();
        let mut placed = records(&spec, &layout, window);
        let mut default = records(&spec, &Layout::default(), window);
        for record in &placed {
            let partitions = layout.topic(record.stage).partitions;
            prop_assert_eq!(record.partition, mock_data_gen::generator::record::partition(&record.key, partitions));
        }
        for record in placed.iter_mut().chain(&mut default) {
            record.partition = 0;
        }
        prop_assert_eq!(placed, default);
    }

    /// forall rates r <= r': raising a funnel rate from r to r' only adds records; those of r stay, headers' stream id aside.
    #[test]
    fn raising_a_rate_only_adds_records((spec, start, count) in spec_and_window(), which in 0..3u8, raised in rate()) {
        let mut more = spec.clone();
        let rate = match which {
            0 => &mut more.bid_response_rate,
            1 => &mut more.win_rate,
            _ => &mut more.click_rate,
        };
        let lowered = raised.billionths().min(rate.billionths());
        let raised = raised.billionths().max(rate.billionths());
        let parse = |n: u64| format!("{}.{:09}", n / 1_000_000_000, n % 1_000_000_000).parse::<Rate>().unwrap();
        let mut less = more.clone();
        match which {
            0 => (less.bid_response_rate, more.bid_response_rate) = (parse(lowered), parse(raised)),
            1 => (less.win_rate, more.win_rate) = (parse(lowered), parse(raised)),
            _ => (less.click_rate, more.click_rate) = (parse(lowered), parse(raised)),
        }
        let without_stream_id = |spec: &StreamSpec| {
            let mut records = records(spec, &Layout::default(), Window::auctions(start, count));
            for header in records.iter_mut().flat_map(|record| &mut record.headers).filter(|h| h.name == "mdg-stream-id") {
                header.value.clear();
            }
            records
        };
        let (less, more) = (without_stream_id(&less), without_stream_id(&more));
        let kept: BTreeSet<_> = less.iter().map(order).collect();
        let more: Vec<Record> = more.into_iter().filter(|record| kept.contains(&order(record))).collect();
        prop_assert_eq!(less, more);
    }

    /// forall auctions: stages come in order, times and prices keep their rules.
    #[test]
    fn an_auction_keeps_its_rules((spec, start, count) in plain_spec_and_window()) {
        let auctions = Auctions::new(&spec);
        for ordinal in start..start + count {
            let auction = auctions.at(ordinal);
            let plan = auction.plan;
            prop_assert_eq!(plan, auctions.plan(ordinal));
            prop_assert_eq!(plan.request_ms, plan.arrival_us.div_euclid(1_000));
            prop_assert!(plan.user < spec.users.count());
            prop_assert!((1..=50).contains(&(plan.received_ms - plan.request_ms)));
            prop_assert_eq!(plan.response_ms.is_some(), auction.bid.is_some());
            prop_assert!(plan.impression_ms.is_none() || plan.response_ms.is_some());
            prop_assert!(plan.click_ms.is_none() || plan.impression_ms.is_some());
            if let Some(response_ms) = plan.response_ms {
                prop_assert!(response_ms > plan.received_ms);
                let delay = response_ms - plan.request_ms;
                prop_assert!((5..=80).contains(&delay) && delay <= i64::from(auction.tmax_ms) - 5);
            }
            if let Some(impression_ms) = plan.impression_ms {
                prop_assert!((100..=500).contains(&(impression_ms - plan.request_ms)));
                prop_assert!(plan.response_ms.is_some_and(|response_ms| response_ms < impression_ms));
            }
            if let (Some(click_ms), Some(impression_ms)) = (plan.click_ms, plan.impression_ms) {
                prop_assert!((1_000..=10_000).contains(&(click_ms - impression_ms)));
                prop_assert!(click_ms - plan.request_ms <= spec.lag_ms_max());
            }
            let floor = auction.floor.micros();
            prop_assert!((10_000..=5_000_000).contains(&floor) && floor.is_multiple_of(10_000));
            if let Some(bid) = &auction.bid {
                let (price, win) = (bid.price.micros(), bid.win_price.micros());
                prop_assert!(price >= floor && win >= floor && win <= price && win.is_multiple_of(10_000));
                prop_assert!(auction.auction_type == 2 || win == price);
            }
        }
    }

    /// forall windows: each response belongs to one request, each impression to one response, each click to one impression,
    /// by the ids in the documents; a document's ids are its record's.
    #[test]
    fn every_child_names_its_parent((spec, start, count) in plain_spec_and_window()) {
        let mut seen: [BTreeMap<String, u64>; 4] = Default::default();
        for record in records(&spec, &Layout::default(), Window::auctions(start, count)) {
            let document: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
            let text = |pointer: &str| document.pointer(pointer).and_then(|v| v.as_str()).unwrap().to_owned();
            let (own, parent, request) = match record.stage {
                Stage::Request => (text("/id"), None, text("/id")),
                Stage::Response => (text("/id"), Some(text("/ext/request_id")), text("/ext/request_id")),
                Stage::Impression => (text("/impression_id"), Some(text("/response_id")), text("/request_id")),
                Stage::Click => (text("/click_id"), Some(text("/impression_id")), text("/request_id")),
            };
            let user = Ids::new(spec.seed).id(Kind::User, Auctions::new(&spec).plan(record.ordinal).user).to_string();
            let key = match spec.key_by {
                KeyBy::Id => &own,
                KeyBy::Request => &request,
                _ => &user,
            };
            prop_assert_eq!(record.key.as_slice(), key.as_bytes());
            prop_assert_eq!(seen[0].get(&request).copied().unwrap_or(record.ordinal), record.ordinal);
            if let Some(parent) = parent {
                prop_assert_eq!(seen[record.stage.index() - 1].get(&parent), Some(&record.ordinal));
            }
            prop_assert!(seen[record.stage.index()].insert(own, record.ordinal).is_none(), "an id twice");
            let time = mock_data_gen::generator::timestamp::Timestamp(record.timestamp_ms).to_string();
            prop_assert_eq!(text("/event_timestamp"), time);
            prop_assert_eq!(record.emit_ms, record.timestamp_ms);
        }
    }

    /// forall times a < b: the window [a, b) holds exactly the auctions that arrive in it.
    #[test]
    fn a_window_of_time_selects_by_arrival(spec in spec(), place: u64, length_ms in 1..100_000i64) {
        let auctions = Auctions::new(&spec);
        let near = auctions.plan(place % auctions.clock().auctions()).request_ms;
        let from_ms = near.max(spec.epoch.ms());
        let to_ms = (from_ms + length_ms).min(mock_data_gen::generator::timestamp::LIMIT_MS);
        let (first, end) = (auctions.first_from_ms(from_ms), auctions.first_from_ms(to_ms));
        let arrival = |ordinal: u64| auctions.plan(ordinal).arrival_us;
        let all = auctions.clock().auctions();
        prop_assert!(first == 0 || arrival(first - 1) < from_ms * 1_000);
        prop_assert!(first == all || arrival(first) >= from_ms * 1_000);
        prop_assert!(end == first || arrival(end - 1) < to_ms * 1_000);
        prop_assert!(end == all || arrival(end) >= to_ms * 1_000);
    }
}

#[test]
fn neighbouring_seeds_share_no_id_and_no_draw() {
    let (ids, lanes) = ([42, 43].map(Ids::new), [42, 43].map(|seed| Lanes::new("auction", seed)));
    let keys = |index: usize| -> BTreeSet<_> {
        let of = |n: u64| Kind::ALL.map(|kind| ids[index].id(kind, n));
        (0..10_000).flat_map(of).collect()
    };
    assert_eq!(keys(0).len(), Kind::ALL.len() * 10_000);
    assert!(keys(0).is_disjoint(&keys(1)));
    let draws =
        |index: usize| -> BTreeSet<_> { (0..10_000).map(|n| lanes[index].lane(n, FUNNEL_LANE).u64_at(0)).collect() };
    assert!(draws(0).is_disjoint(&draws(1)));
}

#[test]
fn the_last_auction_of_a_stream_is_played_whole() {
    let spec = StreamSpec {
        bid_response_rate: "1".parse().unwrap(),
        win_rate: "1".parse().unwrap(),
        click_rate: "1".parse().unwrap(),
        ..StreamSpec::default()
    };
    let stream = Stream::new(&spec, &Layout::default());
    let last = stream.auctions().clock().auctions() - 1;
    let records: Vec<Record> = stream.records(Window::unbounded(last)).collect();
    assert_eq!(records.len(), 4);
    assert!(records.iter().all(|record| record.ordinal == last));
    assert!(records[3].timestamp_ms < 253_402_300_800_000, "past the year 9999");
}
