//! A stage that falls silent for a while.

use std::fmt;
use std::str::FromStr;

use super::limit::delay;
use crate::generator::spec::{Epoch, Span, SpecError, Stage};
use crate::generator::timestamp::{LIMIT_MS, Timestamp, parse_time_ms};

/// A stage falls silent at most so long behind the epoch, unless a time is given: 500 years of 365 days.
const BEGIN_MS_MAX: i64 = 500 * 365 * 86_400_000;

/// A stage and the time in which it is silent; what it holds back is emitted at the end: `impression:10m:2m` from ten minutes
/// behind the epoch on for two, or `click:2026-01-01T12:00:00Z:30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// The stage.
    pub stage: Stage,
    begin: Begin,
    pub(super) span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    BehindEpoch(Span),
    AtMs(i64),
}

impl Idle {
    const FORM: SpecError = SpecError::Form(
        "STAGE:BEGIN:SPAN, where STAGE is request, response, impression or click and BEGIN is a time or a span after the epoch, such as impression:10m:2m",
    );

    /// When it is silent, in milliseconds since 1970: from the first on, up to and without the second.
    #[must_use]
    pub fn interval_ms(self, epoch: Epoch) -> (i64, i64) {
        let begin_ms = match self.begin {
            Begin::BehindEpoch(span) => epoch.ms().saturating_add(span.ms()),
            Begin::AtMs(ms) => ms,
        };
        (begin_ms, begin_ms.saturating_add(self.span.ms()))
    }
}

impl FromStr for Idle {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (stage, rest) = text.split_once(':').ok_or(Self::FORM)?;
        let (begin, span) = rest.rsplit_once(':').ok_or(Self::FORM)?;
        let stage = Stage::ALL.into_iter().find(|known| known.name() == stage).ok_or(Self::FORM)?;
        let begin = if begin.contains('T') {
            Begin::AtMs(parse_time_ms(begin, LIMIT_MS)?)
        } else {
            let span: Span = begin.parse()?;
            // What is longer could not be read back in milliseconds.
            if span.ms() > BEGIN_MS_MAX {
                return Err(SpecError::Range { min: "1ms", max: "500 years, or a time" });
            }
            Begin::BehindEpoch(span)
        };
        Ok(Self { stage, begin, span: delay(span)? })
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.begin {
            Begin::BehindEpoch(span) => write!(f, "{}:{span}:{}", self.stage, self.span),
            Begin::AtMs(ms) => write!(f, "{}:{}:{}", self.stage, Timestamp(ms), self.span),
        }
    }
}
