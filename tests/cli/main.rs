//! What the program does, as its user sees it.

#![cfg(feature = "cli")]

#[path = "../support/patience.rs"]
mod patience;
#[path = "../support/specs.rs"]
mod specs;

mod answer_key;
mod bad_input;
mod commands;
mod files;
mod health;
mod linux;
mod readme;
mod terminal;
mod verify;
mod verify_memory;
