//! A run into a folder, which may hold what it would write already.

use super::error::RunError;
use super::play::Outcome;
use super::run_plan::FilesPlan;
use super::session::{Beginning, Session};
use crate::log::heading::Resumed;
use crate::sink::files::Files;

/// Plays into a folder.
pub(super) fn play_files(session: &Session<'_>, files: &FilesPlan) -> Result<(), RunError> {
    let FilesPlan { folder, envelope, overwrite } = files;
    let (stream, part) = (&session.plan.stream, session.plan.assignment());
    if *overwrite {
        session.remove_answer_key(stream, &part)?;
        return session.play(stream, &mut Files::replace(folder, *envelope, stream, &part)?);
    }
    let Some(records) = Files::held(folder, *envelope, stream, &part, session.stop)? else {
        return session.play(stream, &mut Files::create(folder, *envelope, stream, &part)?);
    };
    let resumed = Some(Resumed { records: Some(records), from: None });
    let beginning = Beginning { part, resumed, first_alone: false };
    // Nobody acknowledges anything here.
    let nothing = Outcome { acked: None, ..Outcome::nothing() };
    session.report_nothing_to_do(stream, &beginning, &nothing)?;
    session.write_answer_key(stream, &beginning, &nothing)
}
