//! Planned faults: what goes wrong on purpose, how often, and by how much.
//!
//! Each fault is drawn in a lane of its own, so that one more changes no other record. What they do stands in the documentation of
//! [`crate::auction::Fate`].

mod idle;

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

pub use self::idle::Idle;
use super::{Rate, Span, SpecError, Stage};

/// The bounds of the three joins that a funnel has: response behind request, impression behind response, click behind
/// impression. Without faults each child lies within: the largest delays are 80 ms, 495 ms and 10 s.
pub const JOIN_BOUNDS: [Span; 3] = [Span::from_ms(100), Span::from_ms(500), Span::from_ms(10_000)];

/// No record is emitted later than this behind its auction's arrival, so that look-back and pending memory stay small.
pub const LAG_MS_LIMIT: i64 = 3_600_000;

/// Which faults a stream has. All are off by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// Records that are emitted later than their event time, by 1 ms up to a span.
    pub late: Spread,
    /// Records that are emitted twice, the second time up to a span later.
    pub duplicates: Spread,
    /// Records of which a second one with the same ids and times but another body follows, up to a span later.
    pub conflicts: Spread,
    /// Requests, responses and impressions that are never emitted, so that what follows from them has no parent.
    pub orphans: Rate,
    /// Children that lie on the edge of a join's bound.
    pub boundary: Boundary,
    /// Extra records whose value is no JSON.
    pub malformed: Rate,
    /// Extra records whose document violates its schema.
    pub invalid: Rate,
    /// Extra records without a value.
    pub tombstones: Rate,
    /// A stage that falls silent for a while.
    pub idle: Option<Idle>,
    /// Auctions that belong to one and the same user: member 0 of the pool.
    pub hot_user: Rate,
}

impl Faults {
    /// Those that are on, by the name of their option and its value.
    ///
    /// ```
    /// # use mock_data_gen::spec::Faults;
    /// let faults = Faults { late: "0.050:20s".parse()?, ..Faults::default() };
    /// assert_eq!(faults.texts(), [("late", "0.05:20s".to_owned())]);
    /// # Ok::<(), mock_data_gen::spec::SpecError>(())
    /// ```
    #[must_use]
    pub fn texts(&self) -> Vec<(&'static str, String)> {
        let share = |rate: &Rate| (*rate != Rate::NEVER).then(|| rate.to_string());
        let spread = |spread: &Spread| (!spread.is_off()).then(|| spread.to_string());
        let all = [
            ("late", spread(&self.late)),
            ("duplicates", spread(&self.duplicates)),
            ("conflicts", spread(&self.conflicts)),
            ("orphans", share(&self.orphans)),
            ("boundary", (self.boundary != Boundary::default()).then(|| self.boundary.to_string())),
            ("malformed", share(&self.malformed)),
            ("invalid", share(&self.invalid)),
            ("tombstones", share(&self.tombstones)),
            ("idle", self.idle.map(|idle| idle.to_string())),
            ("hot-user", share(&self.hot_user)),
        ];
        all.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    /// How much later than its event time a record of a stage may be emitted, in milliseconds.
    #[must_use]
    pub fn delay_ms_max(&self, stage: Stage) -> i64 {
        let copies = self.duplicates.ms_max().max(self.conflicts.ms_max());
        let idle = self.idle.filter(|idle| idle.stage == stage).map_or(0, |idle| idle.span.ms());
        self.late.ms_max().saturating_add(copies).saturating_add(idle)
    }

    /// Whether any value is no JSON, so that files need envelopes to hold it.
    #[must_use]
    pub fn has_bytes_without_json(&self) -> bool {
        self.malformed != Rate::NEVER || self.tombstones != Rate::NEVER
    }

    /// Whether records stand in another order than their event times, by more than the funnel's own delays.
    #[must_use]
    pub fn reorders(&self) -> bool {
        Stage::ALL.into_iter().any(|stage| self.delay_ms_max(stage) > 0)
    }
}

/// Faults that were found to hold nothing back for more than an hour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultPlan(Faults);

impl Deref for FaultPlan {
    type Target = Faults;

    fn deref(&self) -> &Faults {
        &self.0
    }
}

impl TryFrom<Faults> for FaultPlan {
    type Error = LagError;

    fn try_from(faults: Faults) -> Result<Self, LagError> {
        let lag_ms = |stage| crate::auction::emit_lag_ms_max(&faults, stage);
        let lag_ms = Stage::ALL.into_iter().map(lag_ms).max().unwrap_or(0);
        if lag_ms > LAG_MS_LIMIT { Err(LagError { lag_ms }) } else { Ok(Self(faults)) }
    }
}

/// Faults that hold a record back for more than an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the spans of --late, --duplicates, --conflicts, --boundary and --idle add up to a record that is emitted {} behind its auction, and an hour is the most: shorten them",
    Span::from_ms((*.lag_ms).max(1))
)]
pub struct LagError {
    /// The largest lag, in milliseconds.
    lag_ms: i64,
}

/// A share of the records and the largest delay of what happens to them: `0.05:20s`. The delay may be left away: one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    share: Rate,
    span: Span,
}

impl Spread {
    const OFF: Self = Self { share: Rate::NEVER, span: Span::from_ms(1_000) };

    /// The share of the records.
    #[must_use]
    pub fn share(self) -> Rate {
        self.share
    }

    /// The largest delay in milliseconds; 0 if it is off.
    #[must_use]
    pub fn ms_max(self) -> i64 {
        if self.is_off() { 0 } else { self.span.ms() }
    }

    fn is_off(self) -> bool {
        self.share == Rate::NEVER
    }
}

impl Default for Spread {
    fn default() -> Self {
        Self::OFF
    }
}

impl FromStr for Spread {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (share, span) = match text.split_once(':') {
            Some((share, span)) => (share.parse()?, delay(span)?),
            None => (text.parse()?, Self::OFF.span),
        };
        // Never, by whatever span, is one and the same.
        Ok(if share == Rate::NEVER { Self::OFF } else { Self { share, span } })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, self.span)
    }
}

/// A share of the children, and the joins' bounds on whose edges they are put: `0.01`, or with bounds of one's own
/// `0.01:200ms,1s,20s` (response, impression, click, each behind its parent).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    share: Rate,
    bounds: [Span; 3],
}

impl Boundary {
    /// The share of the children that are moved.
    #[must_use]
    pub fn share(self) -> Rate {
        self.share
    }

    /// The bounds; the answer key's defaults too.
    #[must_use]
    pub fn bounds(self) -> [Span; 3] {
        self.bounds
    }
}

impl Default for Boundary {
    fn default() -> Self {
        Self { share: Rate::NEVER, bounds: JOIN_BOUNDS }
    }
}

impl FromStr for Boundary {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let Some((share, bounds)) = text.split_once(':') else {
            return Ok(Self { share: text.parse()?, bounds: JOIN_BOUNDS });
        };
        let share = share.parse()?;
        let texts: Vec<&str> = bounds.split(',').collect();
        let &[response, impression, click] = &*texts else {
            return Err(SpecError::Form("SHARE or SHARE:RESPONSE,IMPRESSION,CLICK, such as 0.01:200ms,1s,20s"));
        };
        let bounds = [delay(response)?, delay(impression)?, delay(click)?];
        Ok(if share == Rate::NEVER { Self::default() } else { Self { share, bounds } })
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [response, impression, click] = self.bounds;
        write!(f, "{}:{response},{impression},{click}", self.share)
    }
}

/// A span by which something may be held back: up to an hour.
fn delay(text: &str) -> Result<Span, SpecError> {
    let span: Span = text.parse()?;
    if span.ms() <= LAG_MS_LIMIT { Ok(span) } else { Err(SpecError::Range { min: "1ms", max: "1h" }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_back_as_it_is_shown() {
        let faults = Faults {
            late: "0.05:20s".parse().unwrap(),
            duplicates: "0.1".parse().unwrap(),
            conflicts: "1:1ms".parse().unwrap(),
            orphans: "0.2".parse().unwrap(),
            boundary: "0.3:200ms,1s,20s".parse().unwrap(),
            malformed: "0.4".parse().unwrap(),
            invalid: "0.5".parse().unwrap(),
            tombstones: "0.6".parse().unwrap(),
            idle: Some("click:2026-01-01T12:00:00Z:30s".parse().unwrap()),
            hot_user: "0.7".parse().unwrap(),
        };
        let texts = faults.texts();
        assert_eq!(texts.len(), 10);
        assert_eq!(texts[1], ("duplicates", "0.1:1s".to_owned()));
        assert_eq!(texts[8], ("idle", "click:2026-01-01T12:00:00.000Z:30s".to_owned()));
        assert_eq!(texts[4].1.parse(), Ok(faults.boundary));
        assert_eq!(texts[8].1.parse(), Ok(faults.idle.unwrap()));
        assert_eq!("impression:10m:2m".parse::<Idle>().unwrap().to_string(), "impression:10m:2m");
    }

    #[test]
    fn a_fault_that_never_happens_is_none() {
        assert_eq!("0:20s".parse(), Ok(Spread::default()));
        assert_eq!("0.0:1s,1s,1s".parse(), Ok(Boundary::default()));
        assert!(Faults::default().texts().is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "2", "-1", "0.1:", "0.1:0s", "0.1:2h", "0.1:20", "x:1s"] {
            assert!(text.parse::<Spread>().is_err(), "{text}");
        }
        for text in ["0.1:1s", "0.1:1s,1s", "0.1:1s,1s,1s,1s", "2"] {
            assert!(text.parse::<Boundary>().is_err(), "{text}");
        }
        for text in
            ["click", "click:10m", "clicks:10m:1s", "click:501y:1s", "click:2026-13-01T00:00:00Z:1s", "click:10m:2h"]
        {
            assert!(text.parse::<Idle>().is_err(), "{text}");
        }
        let spread = |text: &str| text.parse::<Spread>().unwrap();
        let faults = Faults { late: spread("0.1:59m"), duplicates: spread("0.1:50s"), ..Faults::default() };
        assert_eq!(FaultPlan::try_from(faults.clone()).unwrap_err().lag_ms, 3_600_500);
        assert!(FaultPlan::try_from(Faults { late: spread("0.1:58m"), ..faults }).is_ok());
    }
}
