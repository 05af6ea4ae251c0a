//! What a run would do with the topics as they are: the same look at the log that a run takes, and nothing that a run writes. No
//! topic is created, no transaction begun, no earlier writer fenced.

use std::fmt;

use serde::Serialize;

use crate::cli::exit::Failure;
use crate::generator::spec::{ByStage, Stage, TopicName};
use crate::generator::stream::Stream;
use crate::generator::timestamp::Timestamp;
use crate::kafka::{Cluster, KafkaError, TopicState};
use crate::log::count::grouped;
use crate::log::heading::Resumed;
use crate::log::record::LogRecord;
use crate::player::{Course, KafkaRun, ResumeMode, RunError, require_partitions};
use crate::resume::{Log, ResumeError, TopicLog};
use crate::source::Source;
use crate::source::topics::Topics;

/// What a run would do.
#[derive(Debug, Serialize)]
#[serde(tag = "does", rename_all = "lowercase")]
pub(super) enum Outlook {
    /// The topics hold nothing.
    Begin,
    /// They hold the window's beginning.
    Resume(Resumed),
    /// They hold the window.
    Nothing(Resumed),
    /// It was told not to look.
    Append,
    /// It was told to delete the topics first.
    Recreate,
    /// Somebody's transaction is open: what stands behind it nobody sees yet.
    Wait { topic: TopicName, partition: u32, seconds: u64 },
    /// Another one writes, and is shut out.
    Fence { topic: TopicName, partition: u32 },
    /// It would not begin.
    Refuse { exit_code: u8, message: String },
}

impl Outlook {
    /// Whether offsets count records: no ends of transactions are among them.
    pub(super) fn counts_records(&self) -> bool {
        match self {
            Self::Begin => true,
            Self::Resume(resumed) | Self::Nothing(resumed) => resumed.records.is_some(),
            Self::Append | Self::Recreate | Self::Wait { .. } | Self::Fence { .. } | Self::Refuse { .. } => false,
        }
    }

    pub(super) fn refusal(failure: &Failure) -> Self {
        Self::Refuse { exit_code: failure.exit_code(), message: failure.to_string() }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin => write!(f, "begins: the topics hold no records"),
            Self::Resume(Resumed { records, from }) => {
                let records = records.map_or_else(|| "the records".to_owned(), |n| format!("{} records", grouped(n)));
                write!(f, "resumes after {records} that are there")?;
                from.map_or(Ok(()), |from: Timestamp| write!(f, ", from {from}"))
            }
            Self::Nothing(_) => write!(f, "has nothing to do: the window is complete"),
            Self::Append => write!(f, "appends a second stream: --resume never does not look at what is there"),
            Self::Recreate => write!(f, "deletes the topics and begins anew"),
            Self::Wait { topic, partition, seconds } => {
                write!(
                    f,
                    "waits up to {seconds} s for the end of a transaction in `{topic}`, partition {partition}, "
                )?;
                write!(f, "or ends it if it is its own predecessor's; only then it can tell")
            }
            Self::Fence { topic, partition } => {
                write!(f, "shuts out another writer, which is at work in `{topic}`, partition {partition}, and resumes")
            }
            Self::Refuse { exit_code, .. } => write!(f, "refuses, with exit code {exit_code}: see below"),
        }
    }
}

/// What a run would do with topics in these states.
pub(super) fn outlook(run: &KafkaRun<'_>, states: &ByStage<TopicState>) -> Result<Outlook, Failure> {
    let held = states.values().find(|state| state.end_offsets > 0);
    if run.plan.resume == ResumeMode::Never {
        return Ok(if held.is_some() { Outlook::Append } else { Outlook::Begin });
    }
    if run.plan.resume == ResumeMode::Recreate {
        return Ok(if states.values().any(|state| state.partitions.is_some()) {
            Outlook::Recreate
        } else {
            Outlook::Begin
        });
    }
    if let Some(missing) = states.values().find(|state| state.partitions.is_none()) {
        return match held {
            Some(held) => {
                let (missing, held) = (missing.topic.clone(), held.topic.clone());
                Err(KafkaError::Deleted { missing, held }.into())
            }
            None if run.plan.resume == ResumeMode::Require => Err(ResumeError::NothingHeld.into()),
            None => Ok(Outlook::Begin),
        };
    }
    let plan = run.session.plan;
    let stop = run.session.stop;
    let cluster = Cluster::connect(&run.plan.brokers, &plan.properties, plan.stream.layout(), stop)?;
    require_partitions(plan.shard, cluster.layout())?;
    let stream = Stream::new(plan.stream.auctions().spec(), cluster.layout());
    let mut log = run.log(&stream, &cluster)?;
    if let Some(waits) = open_transaction(run, &stream, &mut log)? {
        return Ok(waits);
    }
    match run.course(&stream, run.start(&stream), &cluster, &mut log) {
        Ok((Course::Play(beginning), _)) => Ok(beginning.resumed.map_or(Outlook::Begin, Outlook::Resume)),
        Ok((Course::Nothing(_, resumed), _)) => Ok(Outlook::Nothing(resumed)),
        Err(RunError::Resume(ResumeError::Unsettled { topic, partition, .. })) if run.plan.is_exactly_once() => {
            Ok(Outlook::Fence { topic, partition })
        }
        Err(error) => Err(error.into()),
    }
}

/// The records of each topic, and whether that is exact: between the first and the last one of a partition ends of transactions
/// may take offsets too, so it holds at most so many, unless the log is known to have none.
pub(super) fn count_records(
    run: &KafkaRun<'_>,
    states: &ByStage<TopicState>,
    is_gapless: bool,
) -> Result<ByStage<(u64, bool)>, Failure> {
    if states.values().any(|state| state.partitions.is_none()) {
        return Ok(states.each_ref().map(|state| (state.offsets, state.offsets == 0)));
    }
    let plan = run.session.plan;
    let stop = run.session.stop;
    let cluster = Cluster::connect(&run.plan.brokers, &plan.properties, plan.stream.layout(), stop)?;
    let mut topics = Topics::open(&cluster, stop)?;
    let lasts = topics.tails(1)?;
    let mut counts = ByStage::<u64>::default();
    let mut first = LogRecord::default();
    for (log, last) in lasts.iter().enumerate() {
        let stage = topics.logs()[log].stage;
        if let Some(last) = last.last()
            && topics.next(log, &mut first)?
        {
            counts[stage] += (last.offset + 1 - first.offset).unsigned_abs();
        }
    }
    let is_exact = |stage: Stage| counts[stage] == 0 || (is_gapless && counts[stage] == states[stage].offsets);
    Ok(ByStage::from_fn(|stage| (counts[stage], is_exact(stage))))
}

fn open_transaction(run: &KafkaRun<'_>, stream: &Stream, log: &mut TopicLog<'_>) -> Result<Option<Outlook>, Failure> {
    let bounds = log.bounds()?;
    for (stage, partitions) in bounds.iter() {
        let open = (0..)
            .zip(partitions)
            .find(|&(partition, bounds)| run.session.plan.shard.owns(partition) && bounds.is_open());
        if let Some((partition, _)) = open {
            let seconds = crate::resume::OPEN_PATIENCE.as_secs();
            return Ok(Some(Outlook::Wait { topic: stream.layout().topic(stage).name.clone(), partition, seconds }));
        }
    }
    Ok(None)
}
