//! What needs no program and no broker: bytes, laws, logs in memory, the rules of the house.

#[cfg(feature = "kafka")]
#[path = "../support/choices.rs"]
mod choices;
#[cfg(feature = "kafka")]
#[path = "../support/patience.rs"]
mod patience;
#[path = "../support/specs.rs"]
mod specs;

mod distributions;
mod documents;
mod faults;
mod golden;
mod laws;
mod model;
mod tail;
mod tidy;
