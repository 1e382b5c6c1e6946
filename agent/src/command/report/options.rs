//! Command line of `ffwatt report`.

use std::path::PathBuf;

use agent_core::time::WallTime;
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use jiff::tz::TimeZone;

use crate::clock::{Clock, SystemClock};
use crate::command::address::{self, AgentAddress};
use crate::command::report::settings::{self, Order};
use crate::command::report::since;
use crate::ledger::Grouping;

/// Options of the report.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(super) files: Vec<PathBuf>,
    pub(super) by: Option<Grouping>,
    pub(super) compare: Option<(String, String)>,
    pub(super) curves: Option<Curves>,
    pub(super) settings: Option<Order>,
    pub(super) is_list: bool,
    pub(super) is_trends: bool,
    /// Begin of the time that it is about.
    pub(super) since: Option<WallTime>,
    /// The agent to ask.
    pub(super) agent: Option<AgentAddress>,
    pub(super) form: Form,
    /// File of the HTML document.
    pub(super) html: Option<PathBuf>,
    /// File of the rows in Parquet.
    pub(super) parquet: Option<PathBuf>,
}

/// The report of curves.
#[derive(Clone, Debug)]
pub(super) struct Curves {
    /// A scenario of the anchor; the first curve otherwise.
    pub(super) anchor: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Csv,
    Json,
}

/// Help of options with more to say than a line.
const SINCE: &str = "Only what began (--list, --settings) or ended (--by, --trends) since then [default: off; for --trends 30 \
                     days] [format: a length of time such as 7d, or a date such as 2026-11-01]";
const URL: &str = "Ask a running agent for the scenarios of its last run, or with --by for the transcodes that it remembers [default: \
                   off] [format: http://host:9510, https://user:password@host:9510]";

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let path = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(PathBuf)).help(help)
    };
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("report")
        .about("Rank the scenarios of a run, or add up finished transcodes")
        .arg(
            Arg::new("files")
                .value_name("PATH")
                .num_args(0..)
                .value_parser(value_parser!(PathBuf))
                .help("Result file [default: the newest in --results-dir] [format: path, or name of a run]"),
        )
        .arg(
            text("by", "WHAT", "Add up the transcodes of the ledger by this property [default: off]")
                .value_parser(PossibleValuesParser::new(["scenario", "codec", "workload"])),
        )
        .arg(
            Arg::new("compare")
                .long("compare")
                .num_args(2)
                .value_names(["ONE", "OTHER"])
                .help("Compare two runs, or two scenarios [default: off] [format: names]"),
        )
        .arg(
            flag("curves", "Compare encoders and presets over bitrates: BD-energy, BD-rate")
                .conflicts_with_all(["by", "compare", "csv"]),
        )
        .arg(
            text(
                "anchor",
                "SCENARIO",
                "Anchor of --curves [default: the first] [format: name of a scenario]",
            )
            .requires("curves")
            .hide_short_help(true),
        )
        .arg(
            flag("settings", "Show the settings of encoders, and what an hour of output costs")
                .conflicts_with_all(["by", "compare", "curves"]),
        )
        .arg(
            text("sort", "WHAT", "Order of the settings")
                .requires("settings")
                .default_value("file")
                .value_parser(PossibleValuesParser::new(settings::ORDERS.map(|(name, _)| name))),
        )
        .arg(
            flag("list", "List the runs in --results-dir, the newest first")
                .conflicts_with_all(["files", "by", "compare", "curves", "settings", "csv"]),
        )
        .arg(
            flag("trends", "Show J/frame by day, its changes, and the month, by the ledger")
                .conflicts_with_all(["files", "compare", "curves", "settings", "list", "html"]),
        )
        .arg(
            text("since", "TIME", "Only since then [default: off] [format: 7d, 2026-11-01]")
                .long_help(SINCE)
                .value_parser(|text: &str| since::parse(text, SystemClock.wall(), &TimeZone::system()))
                .conflicts_with_all(["files", "compare", "curves", "html"]),
        )
        .arg(
            address::url("Ask an agent [default: off] [format: https://user:password@host:9510]")
                .long_help(URL)
                .conflicts_with_all(["files", "list", "trends"]),
        )
        .arg(address::ca().requires("url").hide_short_help(true))
        .arg(flag("csv", "Print CSV, in the columns of the exporters that ffwatt replaces"))
        .arg(flag("json", "Print JSON").conflicts_with("csv"))
        .arg(
            path("html", "FILE", "Write an HTML file with plots [default: off] [format: path]")
                .conflicts_with_all(["by", "compare", "list", "csv", "json"]),
        )
        .arg(
            path("parquet", "FILE", "Write the rows of --json as Parquet [default: off] [format: path]")
                .conflicts_with_all(["compare", "curves", "list", "trends", "csv", "json", "html"]),
        )
}

/// Reads the subcommand's arguments.
pub(crate) fn options(matches: &ArgMatches) -> Options {
    let by = matches.get_one::<String>("by").map(|by| match by.as_str() {
        "scenario" => Grouping::Scenario,
        "codec" => Grouping::Codec,
        _ => Grouping::Workload,
    });
    let mut compare = matches.get_many::<String>("compare").into_iter().flatten().cloned();
    Options {
        files: matches.get_many("files").into_iter().flatten().cloned().collect(),
        by,
        compare: compare.next().zip(compare.next()),
        settings: matches.get_flag("settings").then(|| {
            let named = matches.get_one::<String>("sort").map(String::as_str);
            let order = settings::ORDERS.into_iter().find(|(name, _)| named == Some(*name));
            order.map_or(Order::File, |(_, order)| order)
        }),
        is_list: matches.get_flag("list"),
        is_trends: matches.get_flag("trends"),
        since: matches.get_one("since").copied(),
        agent: address::address(matches),
        curves: matches.get_flag("curves").then(|| Curves { anchor: matches.get_one("anchor").cloned() }),
        html: matches.get_one("html").cloned(),
        parquet: matches.get_one("parquet").cloned(),
        form: match (matches.get_flag("csv"), matches.get_flag("json")) {
            (true, _) => Form::Csv,
            (_, true) => Form::Json,
            _ => Form::Text,
        },
    }
}
