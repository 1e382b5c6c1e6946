//! Command line of `ffwatt report`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};

use crate::command::report::settings::{self, Order};
use crate::ledger::Grouping;

/// Options of the report.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(super) file: Option<PathBuf>,
    pub(super) by: Option<Grouping>,
    pub(super) compare: Option<(String, String)>,
    pub(super) curves: Option<Curves>,
    pub(super) settings: Option<Order>,
    pub(super) is_list: bool,
    pub(super) form: Form,
    /// File of the HTML document.
    pub(super) html: Option<PathBuf>,
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

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    Command::new("report")
        .about("Rank the scenarios of a run, or add up finished transcodes")
        .arg(
            Arg::new("file")
                .value_name("PATH")
                .help("Result file [default: the newest in --results-dir] [format: path, or name of a run]"),
        )
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("WHAT")
                .value_parser(PossibleValuesParser::new(["scenario", "codec", "workload"]))
                .help("Add up the transcodes of the ledger by this property [default: off]"),
        )
        .arg(
            Arg::new("compare")
                .long("compare")
                .num_args(2)
                .value_names(["ONE", "OTHER"])
                .help("Compare two scenarios [default: off] [format: names of scenarios]"),
        )
        .arg(
            Arg::new("curves")
                .long("curves")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["by", "compare", "csv"])
                .help("Compare encoders and presets over their bitrates (BD-energy, BD-rate, BD-VMAF)"),
        )
        .arg(
            Arg::new("anchor")
                .long("anchor")
                .value_name("SCENARIO")
                .requires("curves")
                .help("Curve to compare with, by one of its scenarios [default: the first] [format: name of a scenario]"),
        )
        .arg(
            Arg::new("settings")
                .long("settings")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["by", "compare", "curves"])
                .help("Show the settings of encoders, with the means of their repeats and the costs of an hour of output"),
        )
        .arg(
            Arg::new("sort")
                .long("sort")
                .value_name("WHAT")
                .requires("settings")
                .default_value("file")
                .value_parser(PossibleValuesParser::new(settings::ORDERS.map(|(name, _)| name)))
                .help("Order of the settings"),
        )
        .arg(
            Arg::new("list")
                .long("list")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["file", "by", "compare", "curves", "settings", "csv"])
                .help("List the runs in --results-dir, the newest first"),
        )
        .arg(
            Arg::new("csv")
                .long("csv")
                .action(ArgAction::SetTrue)
                .help("Print CSV, in the columns of the exporters that ffwatt replaces"),
        )
        .arg(
            Arg::new("json").long("json").action(ArgAction::SetTrue).conflicts_with("csv").help("Print JSON"),
        )
        .arg(
            Arg::new("html")
                .long("html")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .conflicts_with_all(["by", "compare", "list", "csv", "json"])
                .help("Write one HTML file with plots and tables, which opens offline [default: off] [format: path]"),
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
        file: matches.get_one::<String>("file").map(PathBuf::from),
        by,
        compare: compare.next().zip(compare.next()),
        settings: matches.get_flag("settings").then(|| {
            let named = matches.get_one::<String>("sort").map(String::as_str);
            let order = settings::ORDERS.into_iter().find(|(name, _)| named == Some(*name));
            order.map_or(Order::File, |(_, order)| order)
        }),
        is_list: matches.get_flag("list"),
        curves: matches.get_flag("curves").then(|| Curves { anchor: matches.get_one("anchor").cloned() }),
        html: matches.get_one("html").cloned(),
        form: match (matches.get_flag("csv"), matches.get_flag("json")) {
            (true, _) => Form::Csv,
            (_, true) => Form::Json,
            _ => Form::Text,
        },
    }
}
