//! A run: what is to be done as plain data, done, and told to whoever wants to know.

mod embedded;
mod error;
mod files;
mod gap;
mod observer;
pub mod pace;
pub mod play;
mod read_back;
pub mod report;
mod run_plan;
mod session;
mod start_kafka;

pub use self::error::{ReportError, RunError};
pub use self::gap::Gap;
pub use self::observer::{Bar, Notice, Observer, Shown};
pub use self::run_plan::{Delivery, EmbeddedPlan, FilesPlan, KafkaPlan, ResumeMode, RunPlan, SinkPlan};
pub use self::session::Session;
#[cfg(feature = "cli")]
pub(crate) use self::start_kafka::Course;
pub use self::start_kafka::{KafkaRun, require_partitions, uneven_topics};
use crate::sink::null::Null;
use crate::sink::stdout::Stdout;

/// Plays what a plan says.
///
/// # Errors
/// Why the run did not come to its end.
pub fn run(session: &Session<'_>) -> Result<(), RunError> {
    let stream = &session.plan.stream;
    match &session.plan.sink {
        SinkPlan::Stdout => session.play(stream, &mut Stdout::new(stream.layout())),
        SinkPlan::Null => session.play(stream, &mut Null),
        SinkPlan::Files(plan) => files::play_files(session, plan),
        SinkPlan::Embedded(plan) => embedded::play_embedded(session, plan),
        SinkPlan::Kafka(plan) => KafkaRun { session, plan }.play(),
    }
}
