//! What options that were not given come to, where that depends on others.

use crate::cli::args::run::RunArgs;
use crate::generator::stream::WindowEnd;
use crate::player::RunPlan;
use crate::player::pace::Pace;

/// The value of an option that was not given; `None` where it has none.
pub(super) fn effective(option: &str, args: &RunArgs, plan: &RunPlan) -> Option<&'static str> {
    let now = plan.now_until.is_some();
    let is_kafka = args.options.is_kafka();
    let live = plan.pace == Pace::Live;
    match option {
        "from" => Some(if now { "now" } else { "epoch" }),
        "count" if plan.chosen == Some("10,000 auctions") => Some("10000"),
        "duration" if plan.chosen == Some("one hour of virtual time") => Some("1h"),
        "duration" if plan.window.end().is_none() && matches!(plan.now_until, None | Some(WindowEnd::Never)) => {
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
