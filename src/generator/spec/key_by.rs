//! What records are keyed by.

use std::fmt;
use std::str::FromStr;

use super::SpecError;

/// What the records of a funnel are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyBy {
    /// Each record by its own id, as in the product document: `request_id`, `response_id`, `impression_id`, `click_id`.
    Id,
    /// All four by `request_id`: topics with equal partition counts are co-partitioned, so they join without repartitioning.
    Request,
    /// All four by the id of the auction's user, `user.id` of the request: a busy user makes a busy partition.
    User,
}

impl FromStr for KeyBy {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "id" => Ok(Self::Id),
            "request" => Ok(Self::Request),
            "user" => Ok(Self::User),
            _ => Err(SpecError::Word("id, request, user")),
        }
    }
}

impl fmt::Display for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Request => "request",
            Self::User => "user",
        })
    }
}
