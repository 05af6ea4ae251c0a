//! What a log holds, how that is named for people, and the wish to stop looking at it.

pub mod compare;
pub mod count;
pub mod heading;
pub(crate) mod identify;
pub mod record;
pub mod shutdown;
