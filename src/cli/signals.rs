//! SIGINT and SIGTERM: the first asks the run to end, a second ends the process at once.

use std::sync::Arc;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::Failure;
use crate::sink::Stop;

/// Exit code of a process that a second signal ended.
const ENDED_AT_ONCE: i32 = 5;

/// Listens for signals on a thread of its own, until the process ends.
pub(super) fn listen() -> Result<Arc<Stop>, Failure> {
    let failed = Failure::Signals;
    let stop = Arc::new(Stop::default());
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
                if !asked.ask() {
                    std::process::exit(ENDED_AT_ONCE);
                }
            }
        });
    });
    Ok(stop)
}
