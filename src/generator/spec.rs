//! What can change a byte ([`StreamSpec`]) and what only places records ([`Layout`]).
//!
//! Each field has a type that can only hold a legal value, so a `StreamSpec` or `Layout` that exists is valid.

pub mod delays;

mod by_stage;
mod decimal;
mod epoch;
mod error;
mod fault_plan;
mod faults;
mod key_by;
mod layout;
mod profile;
mod rate;
mod span;
mod stage;
mod users;

use serde::{Serialize, Serializer};

pub use self::by_stage::ByStage;
pub use self::decimal::{DecimalError, parse_decimal, parse_scaled, write_decimal};
pub use self::epoch::Epoch;
pub use self::error::SpecError;
pub use self::fault_plan::{FaultPlan, LagError};
pub use self::faults::{Boundary, Faults, Idle, JOIN_BOUNDS, LAG_MS_LIMIT, Spread};
pub use self::key_by::KeyBy;
pub use self::layout::{Layout, LayoutError, Partitions, Topic, TopicName};
pub use self::profile::Profile;
pub use self::rate::{EventsPerSecond, Rate};
pub use self::span::{Span, SpanError};
pub use self::stage::Stage;
pub use self::users::Users;
use crate::generator::digest::Digest;
use crate::generator::version::STREAM_VERSION;

/// Everything that can change a record's key, value, timestamp, headers or order.
///
/// Two equal specs describe the same stream on every machine; [`StreamSpec::stream_id`] names it.
///
/// ```
/// use mock_data_gen::{EventsPerSecond, StreamSpec};
///
/// let spec = StreamSpec { seed: 42, events_per_second: EventsPerSecond::new(50), ..StreamSpec::default() };
/// assert_eq!(spec.stream_id().to_string().len(), 64);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    /// Chooses the stream. Neighbouring seeds share nothing.
    pub seed: u64,
    /// Virtual time at which auction 0's slot begins.
    pub epoch: Epoch,
    /// Auctions (bid requests) a second of virtual time.
    pub events_per_second: EventsPerSecond,
    /// Share of the requests that get a response.
    pub bid_response_rate: Rate,
    /// Share of the responses that become an impression.
    pub win_rate: Rate,
    /// Share of the impressions that are clicked.
    pub click_rate: Rate,
    /// Size of the pool that users are drawn from.
    pub users: Users,
    /// Shape of the documents.
    pub profile: Profile,
    /// What a record is keyed by.
    pub key_by: KeyBy,
    /// Whether records carry headers with stream id, ordinal, stage and copy.
    pub headers: bool,
    /// What goes wrong on purpose.
    pub faults: FaultPlan,
}

impl Default for StreamSpec {
    /// Seed 42 and the product document's defaults.
    fn default() -> Self {
        Self {
            seed: 42,
            epoch: Epoch::default(),
            events_per_second: EventsPerSecond::DEFAULT,
            bid_response_rate: Rate::BID_RESPONSE,
            win_rate: Rate::WIN,
            click_rate: Rate::CLICK,
            users: Users::DEFAULT,
            profile: Profile::Seed,
            key_by: KeyBy::Id,
            headers: false,
            faults: FaultPlan::default(),
        }
    }
}

impl StreamSpec {
    /// The canonical form. A field that is added later stands at the end and is left out at its neutral value, so that a spec that
    /// does not use it keeps its stream id. JSON without white space, fields in a fixed order, the seed as a string (it may exceed what
    /// JavaScript's numbers hold), rates as the shortest exact decimals, so that `0.6` and `0.600` are one.
    ///
    /// ```
    /// # use mock_data_gen::generator::spec::StreamSpec;
    /// assert_eq!(
    ///     StreamSpec::default().canonical_json(),
    ///     r#"{"stream_version":1,"seed":"42","epoch":"2026-01-01T00:00:00.000Z","events_per_second":"10","bid_response_rate":"0.6","win_rate":"0.15","click_rate":"0.02","users":100000,"profile":"seed","key_by":"id","headers":false}"#,
    /// );
    /// ```
    #[must_use]
    pub fn canonical_json(&self) -> String {
        let StreamSpec {
            seed,
            epoch,
            events_per_second,
            bid_response_rate,
            win_rate,
            click_rate,
            users,
            profile,
            key_by,
            headers,
            faults,
        } = self;
        let faults: Vec<String> =
            faults.texts().into_iter().map(|(name, text)| format!(r#""{name}":"{text}""#)).collect();
        let faults = if faults.is_empty() { String::new() } else { format!(r#","faults":{{{}}}"#, faults.join(",")) };
        format!(
            r#"{{"stream_version":{STREAM_VERSION},"seed":"{seed}","epoch":"{epoch}","events_per_second":"{events_per_second}","bid_response_rate":"{bid_response_rate}","win_rate":"{win_rate}","click_rate":"{click_rate}","users":{users},"profile":"{profile}","key_by":"{key_by}","headers":{headers}{faults}}}"#
        )
    }

    /// SHA-256 of the canonical form: the stream's name.
    #[must_use]
    pub fn stream_id(&self) -> Digest {
        Digest::of(self.canonical_json())
    }

    /// The largest lag of a record, its emit time minus its auction's arrival, in milliseconds. It bounds look-back and
    /// pending memory.
    #[must_use]
    pub fn lag_ms_max(&self) -> i64 {
        let lag_ms = |stage| delays::emit_lag_ms_max(&self.faults, stage);
        Stage::ALL.into_iter().map(lag_ms).max().unwrap_or(0)
    }
}

impl Serialize for StreamSpec {
    /// As the canonical form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = serde_json::value::RawValue::from_string(self.canonical_json());
        raw.map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rates_in_other_words_are_one_stream() {
        let short = StreamSpec { bid_response_rate: "0.6".parse().unwrap(), ..StreamSpec::default() };
        let long = StreamSpec { bid_response_rate: "00.6000000000000".parse().unwrap(), ..StreamSpec::default() };
        assert_eq!(short.stream_id(), long.stream_id());
    }

    #[test]
    fn every_field_changes_the_stream_id() {
        let base = StreamSpec::default();
        let variants = [
            StreamSpec { seed: 43, ..base.clone() },
            StreamSpec { epoch: "2026-01-01T00:00:00.001Z".parse().unwrap(), ..base.clone() },
            StreamSpec { events_per_second: "10.000001".parse().unwrap(), ..base.clone() },
            StreamSpec { bid_response_rate: "0.600000001".parse().unwrap(), ..base.clone() },
            StreamSpec { win_rate: "0.16".parse().unwrap(), ..base.clone() },
            StreamSpec { click_rate: "0.03".parse().unwrap(), ..base.clone() },
            StreamSpec { users: "99999".parse().unwrap(), ..base.clone() },
            StreamSpec { key_by: KeyBy::Request, ..base.clone() },
            StreamSpec { headers: true, ..base.clone() },
        ];
        for (index, variant) in variants.iter().enumerate() {
            assert_ne!(variant.stream_id(), base.stream_id(), "variant {index}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused_and_the_edges_are_not() {
        for text in ["0", "0.0009", "1000000.000001", "-1", "1e3", "", ".", "nan", "1.2345678", "99999999999999999999"]
        {
            assert!(text.parse::<EventsPerSecond>().is_err(), "{text}");
        }
        for (text, percent) in
            [("0.15", "15%"), ("0.125", "12.50%"), ("1", "100%"), ("0", "0%"), ("0.000000001", "0.0000001%")]
        {
            assert_eq!(percent.parse::<Rate>(), text.parse::<Rate>(), "{percent}");
        }
        for text in ["100.1%", "%", "15 %", "-1%", "15%%", "0.00000001%"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        for (text, scaled) in [("1000", "1k"), ("1500", "1.5K"), ("0.001", "0.000001k"), ("1000000", "1M")] {
            assert_eq!(scaled.parse::<EventsPerSecond>(), text.parse::<EventsPerSecond>(), "{scaled}");
        }
        for text in ["1m", "1Ki", "1kk", "k", "1 k", "1.1G", "1g", "1B", "-1k"] {
            assert!(text.parse::<EventsPerSecond>().is_err(), "{text}");
            assert!(text.parse::<Users>().is_err(), "{text}");
        }
        assert_eq!("4k".parse::<Users>().unwrap().count(), 4_000);
        for text in ["0.001", "1000000", "1000000.000000", "9.5", ".5"] {
            assert!(text.parse::<EventsPerSecond>().is_ok(), "{text}");
        }
        for text in ["1.000000001", "-0.1", "0.1234567891", "+1"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert_eq!("1".parse::<Rate>().unwrap().threshold(), 1 << 64);
        assert_eq!("0".parse::<Rate>().unwrap().threshold(), 0);
        for text in ["0", "1000000001", "-1", "+5", "1.5", ""] {
            assert!(text.parse::<Users>().is_err(), "{text}");
        }
        for text in [
            "1969-12-31T23:59:59.999Z",
            "1970-01-01T00:00:00Z",
            "2016-12-31T23:59:60Z",
            "9999-12-31T22:00:00.001Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.0005Z",
        ] {
            assert!(text.parse::<Epoch>().is_err(), "{text}");
        }
        assert_eq!("2026-01-01T01:00:00+01:00".parse::<Epoch>().unwrap(), Epoch::default());
    }
}
