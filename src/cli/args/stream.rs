//! Options that every command takes: what the stream is, and where its records go.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::str::FromStr;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::cli::advice;
use crate::cli::exit::Failure;
use crate::generator::spec::{
    Boundary, Epoch, EventsPerSecond, FaultPlan, Faults, Idle, KeyBy, LagError, Layout, LayoutError, Partitions,
    Profile, Rate, Spread, StreamSpec, Topic, TopicName, Users,
};
use crate::kafka::{DEFAULT_BROKERS, Property};

/// The address that means: no Kafka, start a broker inside this process.
pub(crate) const EMBEDDED: &str = "embedded";

/// Everything that can change a byte.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stream (these decide every byte)")]
pub(crate) struct StreamArgs {
    /// Chooses the stream: 0 to 2^64 - 1
    #[arg(short = 's', long, env = "MDG_SEED", default_value_t = 42, value_parser = whole(0..=u64::MAX))]
    seed: u64,
    /// Virtual time at which the stream begins: RFC 3339, whole milliseconds
    #[arg(long, env = "MDG_EPOCH", default_value_t = Epoch::default(), value_name = "TIME")]
    epoch: Epoch,
    /// Auctions (bid requests) a second of virtual time: 0.001 to 1000000
    #[arg(long, env = "EVENTS_PER_SECOND", default_value = "10", value_name = "RATE")]
    events_per_second: EventsPerSecond,
    /// Share of the requests that get a response: 0 to 1
    #[arg(long, env = "BID_RESPONSE_RATE", default_value = "0.60", value_name = "SHARE")]
    bid_response_rate: Rate,
    /// Share of the responses that become an impression: 0 to 1
    #[arg(long, env = "WIN_RATE", default_value = "0.15", value_name = "SHARE")]
    win_rate: Rate,
    /// Share of the impressions that are clicked: 0 to 1
    #[arg(long, env = "CLICK_RATE", default_value = "0.02", value_name = "SHARE")]
    click_rate: Rate,
    /// Size of the user pool; multiples of 4000 keep the shares of devices and countries exact
    #[arg(long, env = "MDG_USERS", default_value = "100000", value_name = "COUNT")]
    users: Users,
    /// Shape of the documents: seed
    #[arg(long, env = "MDG_PROFILE", default_value_t = Profile::Seed)]
    profile: Profile,
    /// Key of the records: id (each its own), request (the request's, on all four) or user (the user's, on all four)
    #[arg(long, env = "MDG_KEY_BY", default_value_t = KeyBy::Id)]
    key_by: KeyBy,
    /// Add headers with stream id, ordinal, stage and copy
    #[arg(long, env = "MDG_HEADERS", value_parser = BoolishValueParser::new())]
    headers: bool,
    #[command(flatten)]
    faults: FaultArgs,
}

/// What goes wrong on purpose. SHARE is of the records of each stage: 0 to 1.
#[derive(Debug, Args)]
#[command(next_help_heading = "Planned faults (part of the stream; off unless given)")]
struct FaultArgs {
    /// Records emitted later than their event time, by 1ms up to SPAN [SPAN: 1s]
    #[arg(long, env = "MDG_LATE", value_name = "SHARE:SPAN", default_value_t, hide_default_value = true)]
    late: Spread,
    /// Records emitted twice, the second time up to SPAN later [SPAN: 1s]
    #[arg(long, env = "MDG_DUPLICATES", value_name = "SHARE:SPAN", default_value_t, hide_default_value = true)]
    duplicates: Spread,
    /// Records followed by one of the same ids and times with another body, up to SPAN later [SPAN: 1s]
    #[arg(long, env = "MDG_CONFLICTS", value_name = "SHARE:SPAN", default_value_t, hide_default_value = true)]
    conflicts: Spread,
    /// Requests, responses and impressions never emitted: what follows from them has no parent
    #[arg(long, env = "MDG_ORPHANS", value_name = "SHARE", default_value_t, hide_default_value = true)]
    orphans: Rate,
    /// Children put 1ms before a join's bound, on it, or 1ms after it, what follows from them moved along [BOUNDS: 100ms,500ms,10s, of
    /// response after request, impression after response, click after impression]
    #[arg(long, env = "MDG_BOUNDARY", value_name = "SHARE:BOUNDS", default_value_t, hide_default_value = true)]
    boundary: Boundary,
    /// Extra records whose value is no JSON
    #[arg(long, env = "MDG_MALFORMED", value_name = "SHARE", default_value_t, hide_default_value = true)]
    malformed: Rate,
    /// Extra records whose document violates its schema
    #[arg(long, env = "MDG_INVALID", value_name = "SHARE", default_value_t, hide_default_value = true)]
    invalid: Rate,
    /// Extra records without a value
    #[arg(long, env = "MDG_TOMBSTONES", value_name = "SHARE", default_value_t, hide_default_value = true)]
    tombstones: Rate,
    /// A stage that is silent for SPAN and then emits what was due: BEGIN is a time, or a span after the epoch
    #[arg(long, env = "MDG_IDLE", value_name = "STAGE:BEGIN:SPAN")]
    idle: Option<Idle>,
    /// Auctions that belong to one and the same user; with --key-by user they fill one partition
    #[arg(long, env = "MDG_HOT_USER", value_name = "SHARE", default_value_t, hide_default_value = true)]
    hot_user: Rate,
}

impl FaultArgs {
    fn plan(&self) -> Result<FaultPlan, Failure> {
        let Self { late, duplicates, conflicts, orphans, boundary, .. } = *self;
        let Self { malformed, invalid, tombstones, idle, hot_user, .. } = *self;
        let faults =
            Faults { late, duplicates, conflicts, orphans, boundary, malformed, invalid, tombstones, idle, hot_user };
        faults.try_into().map_err(|error: LagError| Failure::Usage(advice::lag(error)))
    }
}

impl StreamArgs {
    pub(crate) fn spec(&self) -> Result<StreamSpec, Failure> {
        Ok(StreamSpec {
            seed: self.seed,
            epoch: self.epoch,
            events_per_second: self.events_per_second,
            bid_response_rate: self.bid_response_rate,
            win_rate: self.win_rate,
            click_rate: self.click_rate,
            users: self.users,
            profile: self.profile,
            key_by: self.key_by,
            headers: self.headers,
            faults: self.faults.plan()?,
        })
    }
}

/// Takes whole numbers of a range, in digits alone.
pub(crate) fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && range.contains(number));
        number.ok_or_else(|| format!("give a whole number from {} to {}", range.start(), range.end()))
    }
}

/// What the names of all four topics begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopicPrefix(String);

impl TopicPrefix {
    /// A topic's name.
    pub(crate) fn topic(&self, name: &str) -> String {
        let Self(prefix) = self;
        if prefix.ends_with(['-', '_', '.']) { format!("{prefix}{name}") } else { format!("{prefix}-{name}") }
    }
}

impl FromStr for TopicPrefix {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let prefix = Self(text.to_owned());
        // The longest.
        let name: TopicName = prefix.topic("bid-responses").parse()?;
        if text.is_empty() { Err(LayoutError::TopicName) } else { Ok(name).map(|_| prefix) }
    }
}

/// Where records go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Layout")]
pub(crate) struct LayoutArgs {
    /// Name all four topics: PREFIX, a `-` unless it ends with `.`, `_` or `-`, and bid-requests, bid-responses, impressions, clicks
    // Made into the names below before everything is parsed: see `configuration`.
    #[arg(long, env = "MDG_TOPIC_PREFIX", value_name = "PREFIX")]
    topic_prefix: Option<TopicPrefix>,
    /// Topic of the bid requests
    #[arg(long, env = "TOPIC_BID_REQUESTS", default_value = "bid-requests", value_name = "TOPIC")]
    topic_bid_requests: TopicName,
    /// Topic of the bid responses
    #[arg(long, env = "TOPIC_BID_RESPONSES", default_value = "bid-responses", value_name = "TOPIC")]
    topic_bid_responses: TopicName,
    /// Topic of the impressions
    #[arg(long, env = "TOPIC_IMPRESSIONS", default_value = "impressions", value_name = "TOPIC")]
    topic_impressions: TopicName,
    /// Topic of the clicks
    #[arg(long, env = "TOPIC_CLICKS", default_value = "clicks", value_name = "TOPIC")]
    topic_clicks: TopicName,
    /// Partitions a topic; one that exists in Kafka brings its own count
    #[arg(long, env = "MDG_PARTITIONS", default_value = "6", value_name = "COUNT")]
    partitions: Partitions,
}

impl LayoutArgs {
    const FLAGS: [&str; 4] = ["topic-bid-requests", "topic-bid-responses", "topic-impressions", "topic-clicks"];

    pub(crate) fn layout(&self) -> Result<Layout, Failure> {
        let names = [&self.topic_bid_requests, &self.topic_bid_responses, &self.topic_impressions, &self.topic_clicks];
        let topic = |name: &TopicName| Topic { name: name.clone(), partitions: self.partitions };
        Layout::new(names.map(topic)).map_err(|error| match error {
            LayoutError::Shared { name, first, second } => Failure::Usage(format!(
                "--{} and --{} both name the topic `{name}`: each stage needs a topic of its own",
                Self::FLAGS[first.index()],
                Self::FLAGS[second.index()]
            )),
            error => Failure::Usage(error.to_string()),
        })
    }
}

/// Addresses as librdkafka takes them: `HOST[:PORT]`, several with commas between. It would try what is none for ever.
fn parse_brokers(text: &str) -> Result<String, String> {
    for address in text.split(',') {
        let address = address.rsplit("://").next().unwrap_or_default();
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (address, None),
        };
        let legal_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '=') || !legal_port {
            return Err("give HOST:PORT, or several with commas between, or embedded".to_owned());
        }
    }
    Ok(text.to_owned())
}

/// How Kafka is reached.
#[derive(Debug, Args)]
pub(crate) struct KafkaArgs {
    /// Kafka's address; for a run also `embedded`, a broker inside this process
    #[arg(short = 'b', long, env = "KAFKA_BOOTSTRAP_SERVERS", default_value = DEFAULT_BROKERS, value_name = "HOST:PORT", value_parser = parse_brokers)]
    pub(crate) bootstrap_servers: String,
    /// Any librdkafka property, such as `security.protocol=SASL_SSL`; may be given often, also as a variable such as
    /// `MDG_KAFKA_SASL_PASSWORD`, or `MDG_KAFKA_SASL_PASSWORD_FILE` for a secret that stands in a file
    // Parsed by us: an error of clap's would quote the value, which may be a secret.
    #[arg(short = 'X', value_name = "KEY=VALUE")]
    properties: Vec<String>,
}

impl KafkaArgs {
    /// Whether they name the broker inside this process.
    pub(crate) fn is_embedded(&self) -> bool {
        self.bootstrap_servers == EMBEDDED
    }

    /// Whether any property was given.
    pub(crate) fn has_properties(&self) -> bool {
        !self.properties.is_empty()
    }

    /// The librdkafka properties that were given.
    pub(crate) fn properties(&self) -> Result<Vec<Property>, Failure> {
        let parse = |text: &String| {
            let key = text.split_once('=').map_or("…", |(key, _)| key);
            text.parse().map_err(|error| Failure::Usage(format!("-X {key}: {}", advice::property(&error))))
        };
        self.properties.iter().map(parse).collect()
    }
}

/// How many threads make records.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ThreadArgs {
    /// Threads that make records for the one that hands them on [default: one a core]
    #[arg(long, env = "MDG_THREADS", value_name = "N", value_parser = whole(1..=256u16))]
    threads: Option<u16>,
}

impl ThreadArgs {
    /// As given, or one a core.
    pub(crate) fn count(self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(cores, usize::from)
    }
}
