//! What the program does, as its user sees it.

#![cfg(feature = "cli")]

#[path = "../support/choices.rs"]
mod choices;
#[path = "../support/patience.rs"]
mod patience;
#[path = "../support/snapshot.rs"]
mod snapshot;
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

/// The program with none of our variables set.
fn program(args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    command.args(args).env_clear().stdin(std::process::Stdio::null());
    command
}
