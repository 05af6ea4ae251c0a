//! Planned faults: what goes wrong on purpose, how often, and by how much.
//!
//! Each fault is drawn in a lane of its own, so that one more changes no other record. What they do stands in the documentation of
//! [`crate::generator::auction::PlannedFaults`].

mod boundary;
mod idle;
mod limit;
mod spread;

pub use self::boundary::{Boundary, JOIN_BOUNDS};
pub use self::idle::Idle;
pub use self::limit::LAG_MS_LIMIT;
pub use self::spread::Spread;
use super::{Rate, Stage};

/// The planned faults of a stream, all of them off by default.
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
    /// # use mock_data_gen::generator::spec::Faults;
    /// let faults = Faults { late: "0.050:20s".parse()?, ..Faults::default() };
    /// assert_eq!(faults.texts(), [("late", "0.05:20s".to_owned())]);
    /// # Ok::<(), mock_data_gen::generator::spec::SpecError>(())
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
    }
}
