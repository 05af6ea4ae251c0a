//! Children on the edge of a join's bound.

use std::fmt;
use std::str::FromStr;

use super::limit::delay;
use crate::generator::spec::{Rate, Span, SpecError};

/// The bounds of the three joins that a funnel has: response after request, impression after response, click after
/// impression. Without faults each child lies within: the largest delays are 80 ms, 495 ms and 10 s.
pub const JOIN_BOUNDS: [Span; 3] = [Span::from_ms(100), Span::from_ms(500), Span::from_ms(10_000)];

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
