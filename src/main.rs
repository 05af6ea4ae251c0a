//! The program: see [`mock_data_gen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    mock_data_gen::cli::main()
}
