//! What options that were not given come to, where that depends on others.

use super::super::run::{Resolved, RunArgs};
use crate::generator::stream::WindowEnd;
use crate::pace::Pace;

/// The value of an option that was not given; `None` where it has none.
pub(super) fn effective(option: &str, args: &RunArgs, resolved: &Resolved) -> Option<&'static str> {
    let now = resolved.now_until.is_some();
    let is_kafka = args.options.is_kafka();
    let live = resolved.pace == Pace::Live;
    match option {
        "from" => Some(if now { "now" } else { "epoch" }),
        "count" if resolved.chosen == Some("10,000 auctions") => Some("10000"),
        "duration" if resolved.chosen == Some("one hour of virtual time") => Some("1h"),
        "duration"
            if resolved.window.end().is_none() && matches!(resolved.now_until, None | Some(WindowEnd::Never)) =>
        {
            Some("no end")
        }
        "speed" if live => Some("real time"),
        "replication-factor" if is_kafka => Some("the broker's"),
        "delivery" if is_kafka => Some("idempotent"),
        "resume" if is_kafka => Some("auto"),
        "catch-up" if is_kafka && live => Some(if now { "24h" } else { "no limit" }),
        "threads" => Some("one a core"),
        "listen" => Some("off"),
        _ => None,
    }
}
