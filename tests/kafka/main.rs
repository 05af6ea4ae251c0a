//! The program and a real Apache Kafka (`make test-kafka`), and librdkafka's mock cluster where an error has to come at the right moment.

#![cfg(feature = "cli")]

#[path = "../support/patience.rs"]
mod patience;

mod check;
mod deploy;
mod errors;
mod exactly_once;
mod far;
mod faults;
mod health;
mod live;
mod mock;
mod resume;
mod rights;
mod support;
mod trouble;
mod verify;
