//! Which auction an id belongs to. An id is a hash of its kind and number, so it is found by making all of a stretch.

use std::str::FromStr;

use clap::Args;
use uuid::Uuid;

use crate::cli::args::window::auctions as count;
use crate::cli::exit::Failure;
use crate::generator::auction::Auctions;
use crate::generator::ids::Kind;
use crate::generator::spec::Stage;
use crate::generator::spec::delays::event_lag_ms;
use crate::generator::timestamp::{LIMIT_MS, TimeError, Timestamp, parse_time_ms};
use crate::log::count::grouped;

/// The kinds of ids that are records' own.
const KINDS: [Kind; 4] = [Kind::BidRequest, Kind::BidResponse, Kind::Impression, Kind::Click];
/// Without a time so many auctions are looked at: about a second.
const WITHIN: u64 = 1_000_000;

/// An auction by its ordinal, or by an id of one of its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Ordinal(u64),
    Id(Uuid),
}

impl FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let ordinal = text.parse().ok().filter(|_| is_number).map(Self::Ordinal);
        // The form that documents have; another would be found, but is somebody else's.
        let id = || Uuid::try_parse(text).ok().filter(|_| text.len() == 36).map(Self::Id);
        ordinal.or_else(id).ok_or(
            "give an ordinal from 0 to 18446744073709551615, or an id such as 63e8dea2-cc50-59e5-b81c-9da9621276bd",
        )
    }
}

/// Where an id is looked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Search by id")]
pub(super) struct SearchArgs {
    /// The event time of the id's record, such as its timestamp in Kafka: only auctions that may have such an event are looked at
    #[arg(long, env = "MDG_AT", value_name = "TIME")]
    at: Option<At>,
    /// Look at so many auctions from the epoch, or before the time of --at [default: 1M, or all that may have an event at that time]
    #[arg(long, env = "MDG_WITHIN", value_name = "AUCTIONS", value_parser = count)]
    within: Option<u64>,
}

/// A time in milliseconds since 1970, also as Kafka's tools print it.
#[derive(Debug, Clone, Copy)]
struct At(i64);

impl FromStr for At {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        // Timestamps of records are milliseconds; nobody reads seconds off them.
        let ms = text.parse().ok().filter(|ms| text.len() == 13 && *ms > 0);
        ms.map_or_else(|| parse_time_ms(text, LIMIT_MS), Ok).map(Self)
    }
}

impl SearchArgs {
    /// The ordinal that is meant.
    pub(super) fn find(&self, which: Which, auctions: &Auctions) -> Result<u64, Failure> {
        let id = match which {
            Which::Ordinal(_) if self.at.is_some() || self.within.is_some() => {
                return Err(Failure::Usage("--at and --within say where an id is looked for: omit them".to_owned()));
            }
            Which::Ordinal(ordinal) => return Ok(ordinal),
            Which::Id(id) => id,
        };
        let (first, end) = self.stretch(auctions);
        let is_it = |&ordinal: &u64| KINDS.iter().any(|&kind| auctions.ids().id(kind, ordinal) == id);
        (first..end).find(is_it).ok_or_else(|| {
            let at = self.at.map_or(String::new(), |At(ms)| format!(", which arrive up to {}", Timestamp(ms)));
            Failure::Usage(format!(
                "{id} is no bid request, bid response, impression or click of the {} auctions from {}{at}\n\
                 give --at the timestamp of its record, a larger --within, or the stream options that it was written with (--seed …)",
                grouped(end.saturating_sub(first)),
                grouped(first)
            ))
        })
    }

    fn stretch(&self, auctions: &Auctions) -> (u64, u64) {
        let last = auctions.clock().auctions();
        let Some(At(at_ms)) = self.at else { return (0, self.within.unwrap_or(WITHIN).min(last)) };
        let end = auctions.first_from_ms(at_ms.saturating_add(1)).min(last);
        let lag_ms =
            Stage::ALL.into_iter().map(|stage| event_lag_ms(&auctions.spec().faults, stage).1).max().unwrap_or(0);
        let first = match self.within {
            Some(count) => end.saturating_sub(count),
            None => auctions.first_from_ms(at_ms.saturating_sub(lag_ms)),
        };
        (first, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::StreamSpec;

    #[test]
    fn every_event_is_found_by_its_id_and_its_time() {
        let auctions = Auctions::new(&StreamSpec { click_rate: "1".parse().unwrap(), ..StreamSpec::default() });
        let far = auctions.first_from_ms(1_800_000_000_000);
        let mut found = 0;
        for ordinal in (0..40).chain(far..far + 40) {
            for (stage, kind) in Stage::ALL.into_iter().zip(KINDS) {
                let Some(ms) = auctions.plan(ordinal).event_ms(stage) else { continue };
                let search = SearchArgs { at: Some(At(ms)), within: None };
                let id = auctions.ids().id(kind, ordinal);
                assert_eq!(search.find(Which::Id(id), &auctions).unwrap(), ordinal, "{stage}");
                found += 1;
            }
        }
        assert!(found > 130, "{found}");
    }

    #[test]
    fn an_id_that_is_not_there_is_looked_for_so_far_and_no_further() {
        let auctions = Auctions::new(&StreamSpec::default());
        let id = Which::Id(auctions.ids().id(Kind::Click, 1_000));
        let within = |count| SearchArgs { at: None, within: Some(count) };
        assert_eq!(within(1_001).find(id, &auctions).unwrap(), 1_000);
        assert!(within(1_000).find(id, &auctions).unwrap_err().to_string().contains("of the 1,000 auctions from 0"));
        assert_eq!("7".parse(), Ok(Which::Ordinal(7)));
        for text in ["", "-1", "7.", "63e8dea2cc5059e5b81c9da9621276bd", "63e8dea2", "click"] {
            assert!(text.parse::<Which>().is_err(), "{text}");
        }
    }
}
