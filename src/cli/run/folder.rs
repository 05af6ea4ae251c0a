//! A run into a folder, which may hold what it would write already.

use super::super::Failure;
use super::super::play::{Beginning, Player};
use super::{Resolved, RunOptions};
use crate::generator::stream::{Assignment, Stream};
use crate::log::heading::Resumed;
use crate::log::shutdown::Shutdown;
use crate::run::Outcome;
use crate::sink::files::Files;

impl Player<'_> {
    /// Plays into the folder of `--out`.
    pub(super) fn play_files(&self, stream: &Stream) -> Result<(), Failure> {
        let (folder, envelope) = (self.options.folder()?, self.options.envelope);
        let part = self.part();
        if self.options.overwrite {
            return self.play(stream, &mut Files::replace(folder, envelope, stream, &part)?);
        }
        let Some(records) = Files::held(folder, envelope, stream, &part, self.stop)? else {
            return self.play(stream, &mut Files::create(folder, envelope, stream, &part)?);
        };
        let resumed = Some(Resumed { records: Some(records), from: None });
        let beginning = Beginning { part, resumed, first_alone: false };
        // Nobody acknowledges anything here.
        let nothing = Outcome { acked: None, ..Outcome::nothing() };
        self.report_nothing_to_do(stream, &beginning, &nothing)?;
        self.write_answer_key(stream, &beginning, &nothing)
    }
}

impl RunOptions {
    /// Refuses a folder that cannot take what would be played.
    pub(super) fn require_folder(
        &self,
        resolved: &Resolved,
        part: &Assignment,
        stop: &Shutdown,
    ) -> Result<(), Failure> {
        let (folder, stream) = (self.folder()?, &resolved.stream);
        if self.overwrite {
            return Ok(Files::require_replaceable(folder, stream.layout())?);
        }
        Ok(Files::held(folder, self.envelope, stream, part, stop).map(drop)?)
    }
}
