//! SIGINT and SIGTERM: the first asks the run to end, another one a second later or more ends the process at once. So does the time in
//! which a run is to end: one that writes to a pipe which nobody reads cannot even see that it was asked.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::exit::Failure;
use crate::cli::exit::Place;
use crate::cli::output::terminal;
use crate::log::shutdown::{Shutdown, Wish};

/// Exit code of a process that a later signal ended.
const ENDED_AT_ONCE: i32 = 5;

/// After a signal the process has ended within 5 s, whatever it waits for.
const TIME_TO_END: Duration = Duration::from_millis(4_800);
const TIME_TO_SAY: Duration = Duration::from_millis(100);
/// Exit code of a process that was still waiting then.
const NOT_ENDED: u8 = 3;

fn end_in_time() {
    thread::sleep(TIME_TO_END);
    // Standard error may be what nobody reads.
    thread::spawn(|| {
        terminal::error(
            "the run did not end in time after the signal: whoever takes its records takes none. What was not taken is lost to it",
            NOT_ENDED,
            &Place::default(),
        );
    });
    thread::sleep(TIME_TO_SAY);
    std::process::exit(NOT_ENDED.into());
}

/// Listens for signals on a thread of its own, until the process ends.
pub(crate) fn listen() -> Result<Arc<Shutdown>, Failure> {
    let failed = Failure::Signals;
    let stop = Arc::new(Shutdown::default());
    let asked = Arc::clone(&stop);
    let runtime = Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                match asked.request() {
                    Wish::New => drop(thread::spawn(end_in_time)),
                    Wish::Same => {}
                    Wish::AtOnce => std::process::exit(ENDED_AT_ONCE),
                }
            }
        });
    });
    Ok(stop)
}
