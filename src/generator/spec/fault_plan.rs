//! Faults that together hold nothing back for too long.

use std::ops::Deref;

use super::delays::emit_lag_ms_max;
use super::{Faults, LAG_MS_LIMIT, Span, Stage};

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
        let lag_ms = |stage| emit_lag_ms_max(&faults, stage);
        let lag_ms = Stage::ALL.into_iter().map(lag_ms).max().unwrap_or(0);
        if lag_ms > LAG_MS_LIMIT { Err(LagError { lag_ms }) } else { Ok(Self(faults)) }
    }
}

/// Faults that hold a record back for more than an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the spans of the planned faults add up to a record that is emitted {} after its auction, and an hour is the most",
    self.lag()
)]
pub struct LagError {
    lag_ms: i64,
}

impl LagError {
    /// The largest lag of a record after its auction.
    #[must_use]
    pub fn lag(self) -> Span {
        Span::from_ms(self.lag_ms.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::Spread;

    #[test]
    fn faults_that_add_up_to_more_than_an_hour_are_refused() {
        let spread = |text: &str| text.parse::<Spread>().unwrap();
        let faults = Faults { late: spread("0.1:59m"), duplicates: spread("0.1:50s"), ..Faults::default() };
        assert_eq!(FaultPlan::try_from(faults.clone()).unwrap_err().lag_ms, 3_600_500);
        assert!(FaultPlan::try_from(Faults { late: spread("0.1:58m"), ..faults }).is_ok());
    }
}
