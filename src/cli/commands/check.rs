//! `check`: what a run with these options would do, without doing it: each value with its origin, what follows from them, and
//! what the brokers say. A line of JSON with `--report json`.

mod effective;
mod outlook;

use std::fmt;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use serde::Serialize;

use self::effective::effective;
use self::outlook::{Outlook, count_records, outlook};
use crate::cli::advice;
use crate::cli::args::conflicts::require_room;
use crate::cli::args::run::{Resume, RunArgs};
use crate::cli::config::Configuration;
use crate::cli::exit::Failure;
use crate::cli::output::observer::RunObserver;
use crate::cli::output::reports::StandardOutput;
use crate::cli::output::terminal::{to_stderr, to_stdout};
use crate::cli::signals;
use crate::generator::spec::delays::emit_lag_ms_max;
use crate::generator::spec::{Partitions, Rate, Stage};
use crate::generator::stream::{Position, Stream};
use crate::kafka::{Cluster, Property};
use crate::log::count::{counted, grouped};
use crate::log::heading::Heading;
use crate::metrics::Metrics;
use crate::player::{KafkaRun, RunPlan, Session, uneven_topics};

/// What is shown in place of a secret.
const MASK: &str = "***";

/// What `check` says.
#[derive(Debug, Serialize)]
struct Findings {
    options: Vec<OptionValue>,
    #[serde(flatten)]
    heading: Heading,
    lag_ms_max: i64,
    pending: Pending,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Deviation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    topics: Vec<TopicFinding>,
    /// What a run would do with the topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Outlook>,
    warnings: Vec<String>,
    problems: Vec<String>,
}

/// An option as a run would see it.
#[derive(Debug, Serialize)]
struct OptionValue {
    option: String,
    value: Option<String>,
    origin: String,
}

/// Records that are planned but not due, at most times.
#[derive(Debug, Serialize)]
struct Pending {
    records: u64,
    bytes: u64,
}

/// The share of a pool that is furthest from the product document's.
#[derive(Debug, Serialize)]
struct Deviation {
    class: String,
    ppm: u64,
    wanted_ppm: u64,
}

#[derive(Debug, Serialize)]
struct TopicFinding {
    topic: String,
    partitions: Option<u32>,
    /// Its records: at most so many where ends of transactions take offsets too.
    records: u64,
    is_exact: bool,
}

/// Says what a run would do.
pub(crate) fn check(
    args: &RunArgs,
    configuration: &Configuration,
    parsed: (&Command, &ArgMatches),
) -> Result<(), Failure> {
    let plan = args.resolve()?;
    require_room(&plan)?;
    let mut findings = Findings::new(&plan, options(args, &plan, configuration, parsed));
    // What does not depend on brokers is said without them, too.
    let looked = findings.look_at_brokers(args, &plan);
    if looked.as_ref().is_err_and(|failure| !failure.is_silence()) {
        return looked.map(drop);
    }
    args.options.reports.give(&findings, StandardOutput::IsFree)?;
    if args.options.reports.is_text() {
        to_stdout(&findings.to_string())?;
    }
    for warning in &findings.warnings {
        to_stderr(&format!("warning: {warning}\n"));
    }
    let refusal = looked?;
    if findings.problems.is_empty() { refusal.map_or(Ok(()), Err) } else { Err(Failure::Problems(findings.problems)) }
}

/// Each option with its value and origin, in the order of the help; then librdkafka's properties.
fn options(
    args: &RunArgs,
    plan: &RunPlan,
    configuration: &Configuration,
    (command, matches): (&Command, &ArgMatches),
) -> Vec<OptionValue> {
    let Some((command, matches)) =
        matches.subcommand().and_then(|(name, matches)| Some((command.find_subcommand(name)?, matches)))
    else {
        return Vec::new();
    };
    let value = |arg: &clap::Arg| {
        let raw = matches.try_get_raw(arg.get_id().as_str()).ok().flatten()?;
        let texts: Vec<_> = raw.map(|text| text.to_string_lossy()).collect();
        Some(texts.join(" "))
    };
    let options = command.get_arguments().filter_map(|arg| {
        let long = arg.get_long().filter(|long| *long != "help" && *long != "config")?;
        let origin = configuration.origin(long).to_string();
        let value = value(arg).or_else(|| effective(long, args, plan).map(str::to_owned));
        Some(OptionValue { option: format!("--{long}"), value, origin })
    });
    // Of a property that is given several times, the last counts.
    let is_last = |(at, property): &(usize, &Property)| {
        plan.properties[at + 1..].iter().all(|later| later.key() != property.key())
    };
    let properties = plan.properties.iter().enumerate().filter(is_last);
    let properties = properties.map(|(_, property)| OptionValue {
        option: format!("-X {}", property.key()),
        value: Some(property.shown().unwrap_or(MASK).to_owned()),
        origin: configuration.property_origin(property.key()).to_string(),
    });
    options.chain(properties).collect()
}

impl Findings {
    fn new(plan: &RunPlan, options: Vec<OptionValue>) -> Self {
        let stream = &plan.stream;
        Self {
            options,
            heading: Heading::new(stream.auctions(), &plan.window.into()),
            lag_ms_max: stream.auctions().spec().lag_ms_max(),
            pending: Pending::of(stream),
            users: Deviation::of(stream),
            topics: Vec::new(),
            run: None,
            warnings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Looks at the topics, and leaves them as they are. What a run would refuse them for, if it would.
    fn look_at_brokers(&mut self, args: &RunArgs, plan: &RunPlan) -> Result<Option<Failure>, Failure> {
        let Some(kafka) = plan.kafka() else { return Ok(None) };
        let stop = signals::listen()?;
        let stream = &plan.stream;
        let metrics = Arc::new(Metrics::new(stream.layout()));
        let observer = RunObserver { options: &args.options, terminal: args.terminal, plan };
        let session = Session { plan, stop: &stop, metrics: &metrics, observer: &observer };
        let run = KafkaRun { session: &session, plan: kafka };
        let states = Cluster::look(&run.target(stream))?;
        let counts =
            Stage::ALL.map(|stage| states[stage].partitions.unwrap_or(stream.layout().topic(stage).partitions));
        self.warnings.extend(uneven_topics(stream.auctions().spec(), &stream.layout().with_partitions(counts)));
        let (outlook, refusal) = match outlook(&run, &states) {
            Ok(outlook) => (outlook, None),
            Err(failure) if failure.is_stop() || failure.is_silence() => return Err(failure),
            Err(failure) => (Outlook::refusal(&failure), Some(failure)),
        };
        let records = count_records(&run, &states, outlook.counts_records())?;
        let recreates = args.options.resume == Some(Resume::Recreate);
        for (stage, state) in states.iter() {
            let (records, is_exact) = records[stage];
            if recreates && state.partitions.is_some() {
                let at_most = if is_exact { "" } else { "at most " };
                let records = counted(records, "record");
                self.warnings.push(format!("--resume recreate deletes topic {} with {at_most}{records}", state.topic));
            }
            self.problems.extend(state.misfits.iter().map(advice::kafka));
            self.warnings.extend(state.warnings.iter().cloned());
            let (topic, partitions) = (state.topic.to_string(), state.partitions.map(Partitions::count));
            self.topics.push(TopicFinding { topic, partitions, records, is_exact });
        }
        self.run = Some(outlook);
        Ok(refusal)
    }
}

impl Pending {
    /// What the walk holds on average, were each record as late as its stage can be.
    fn of(stream: &Stream) -> Self {
        let spec = stream.auctions().spec();
        let mut reached = 1u128 << 64;
        let mut records = 0;
        for (stage, rate) in
            Stage::ALL.into_iter().zip([None, Some(spec.bid_response_rate), Some(spec.win_rate), Some(spec.click_rate)])
        {
            reached = rate.map_or(reached, |rate: Rate| (reached >> 32) * (rate.threshold() >> 32));
            let lag_ms = u128::from(emit_lag_ms_max(&spec.faults, stage).unsigned_abs());
            // Auctions a second are in millionths, shares in 2^-64.
            records += ((u128::from(spec.events_per_second.micros()) * lag_ms).div_ceil(1_000_000_000)
                * (reached >> 32))
                .div_ceil(1 << 32);
        }
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        Self { records, bytes: records.saturating_mul(size_of::<Position>() as u64) }
    }
}

impl Deviation {
    /// `None` if all shares are exact.
    fn of(stream: &Stream) -> Option<Self> {
        /// All members of a pool of this many, or of a multiple, have exactly the product document's shares.
        const WHOLE: u64 = 4_000;
        let users = stream.auctions().spec().users.count();
        let mut classes: std::collections::BTreeMap<String, (u64, u64)> = std::collections::BTreeMap::new();
        for k in 0..WHOLE {
            let user = stream.auctions().user(k);
            let device = user.device;
            for class in [
                format!("device type {}", device.devicetype),
                format!("os {}", device.os),
                format!("country {}", user.country.code),
                format!("coppa {}", u8::from(user.coppa)),
            ] {
                let (whole, part) = classes.entry(class).or_default();
                *whole += 1;
                *part += u64::from(k < users % WHOLE);
            }
        }
        let shares = classes.into_iter().map(|(class, (whole, part))| {
            let found = u128::from(users / WHOLE) * u128::from(whole) + u128::from(part);
            let ppm = (found * 1_000_000 / u128::from(users)) as u64;
            Self { class, ppm, wanted_ppm: whole * 1_000_000 / WHOLE }
        });
        shares.filter(|share| share.ppm != share.wanted_ppm).max_by_key(|share| share.ppm.abs_diff(share.wanted_ppm))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |texts: &mut dyn Iterator<Item = &str>| texts.map(str::len).max().unwrap_or(0);
        let shown = |value: &OptionValue| value.value.clone().unwrap_or_else(|| "-".to_owned());
        let options = width(&mut self.options.iter().map(|option| option.option.as_str()));
        let values: Vec<String> = self.options.iter().map(shown).collect();
        let value_width = width(&mut values.iter().map(String::as_str)).min(40);
        writeln!(f, "{:options$}  {:value_width$}  from", "option", "value")?;
        for (option, value) in self.options.iter().zip(&values) {
            writeln!(f, "{:options$}  {value:value_width$}  {}", option.option, option.origin)?;
        }
        writeln!(f, "\n{}", self.heading.to_string().trim_end())?;
        writeln!(f, "largest lag  {}.{:03} s", self.lag_ms_max / 1_000, self.lag_ms_max % 1_000)?;
        let Pending { records, bytes } = self.pending;
        writeln!(f, "pending      about {} records at most times, {} bytes", grouped(records), grouped(bytes))?;
        if let Some(Deviation { class, ppm, wanted_ppm }) = &self.users {
            let percent = |ppm: u64| format!("{}.{:04} %", ppm / 10_000, ppm % 10_000);
            let (found, wanted) = (percent(*ppm), percent(*wanted_ppm));
            writeln!(
                f,
                "users        {class} is {found} of the pool, not {wanted}: give a multiple of 4000 for exact shares"
            )?;
        }
        for TopicFinding { topic, partitions, records, is_exact } in &self.topics {
            let state = partitions.map_or("does not exist: a run creates it".to_owned(), |count| {
                let at_most = if *is_exact { "" } else { "at most " };
                format!("has {} and {at_most}{}", counted(count.into(), "partition"), counted(*records, "record"))
            });
            writeln!(f, "topic        {topic} {state}")?;
        }
        self.run.as_ref().map_or(Ok(()), |run| writeln!(f, "a run        {run}"))
    }
}
