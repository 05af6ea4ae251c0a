//! What is said, to people and to programs.

pub(crate) mod funnel;
pub(crate) mod key_table;
pub(crate) mod observer;
pub(crate) mod reports;
pub(crate) mod status;
pub(crate) mod terminal;
pub(crate) mod verify_command;
