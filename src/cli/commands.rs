//! The commands.

pub(crate) mod answer_key;
pub(crate) mod check;
pub(crate) mod documents;
pub(crate) mod health;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod verify;
