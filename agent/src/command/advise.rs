//! `ffwatt advise`: the cheapest measured setting of a run that is good enough, how sure that is, and its ffmpeg command line.

mod month;
mod output;

use std::io::Write;
use std::path::PathBuf;

use agent_core::comparison::advice::{Advice, Choice, Constraints, advise, choices};
use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::output_hour;
use agent_core::comparison::setting::{Setting, settings};
use agent_core::join::bitrate::{self, Dialect};
use agent_core::join::figures::Prices;
use agent_core::units::Vmaf;
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};

use crate::clock::{Clock, SystemClock};
use crate::command::address::{self, AgentAddress};
use crate::command::report::{self, FiguredRun, ReportError};
use crate::config::Config;
use crate::error::chain;
use crate::ledger::{Ledger, LedgerError};

use month::LedgerMonth;

/// The reason why there is no advice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdviseError {
    /// There is no run, or it cannot be read.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// No encode of the run can be used.
    #[error(
        "{run} has no encode with energy, frames, a frame rate and a VMAF of its whole source: encode with \
         `ffwatt bench --input CLIP --crf 22..38:4`, beside a running agent"
    )]
    NoSettings {
        /// The file.
        run: String,
    },
    /// No setting meets the constraints.
    #[error("no setting of {run} meets the constraints; the highest VMAF is {best:.2}, of {name}")]
    NoneIsGood {
        /// The file.
        run: String,
        /// The highest VMAF.
        best: f64,
        /// The setting that has it.
        name: String,
    },
    /// A named scenario is not there.
    #[error("--instead-of: {run} has no encode {name:?} with energy and VMAF; it has {known}")]
    NoScenario {
        /// The file.
        run: String,
        /// The requested scenario.
        name: String,
        /// The existing ones.
        known: String,
    },
    /// Standard output cannot be written to.
    #[error("cannot write the advice")]
    Output(#[from] std::io::Error),
}

/// Options of the advice.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    file: Option<PathBuf>,
    agent: Option<AgentAddress>,
    constraints: Constraints,
    unit: Unit,
    delivery: Option<Delivery>,
    instead_of: Option<String>,
    as_json: bool,
}

/// What the cheapest setting has the least of, for an hour of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Kilowatt hours.
    Energy,
    /// Energy and CPU time, by the prices of the configuration.
    Cost,
    /// Grams of CO2 equivalent.
    Carbon,
}

/// Energy of delivering an hour of output to its viewers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Delivery {
    /// Hours that are watched of an hour of output, by all viewers.
    hours: f64,
    /// Kilowatt hours of a gigabyte (10⁹ bytes).
    kilowatt_hours: f64,
}

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    let number = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).value_parser(value_parser!(f64)).help(help)
    };
    Command::new("advise")
        .about("Find the cheapest setting of a run that is good enough")
        .arg(
            Arg::new("file")
                .value_name("PATH")
                .help("Result file [default: the newest in --results-dir] [format: path, or name of a run]"),
        )
        .arg(
            address::url("Ask an agent [default: off] [format: http://host:9510]")
                .long_help(
                    "Ask a running agent for its newest run [default: off] [format: http://host:9510, https://user:password@host:9510]",
                )
                .conflicts_with("file"),
        )
        .arg(address::ca().requires("url").hide_short_help(true))
        .arg(number("vmaf-min", "VMAF", "Lowest VMAF of each clip [required] [range: 0 to 100]").required(true))
        .arg(
            Arg::new("bitrate-max")
                .long("bitrate-max")
                .value_name("RATE")
                .help("Highest bitrate [default: none] [format: 2500k, 2.5M]"),
        )
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("WHAT")
                .default_value("energy")
                .value_parser(PossibleValuesParser::new(["energy", "cost", "carbon"]))
                .help("What is to be low, for an hour of output"),
        )
        .arg(number("views", "NUMBER", "Viewers, to count delivery [default: none] [range: 0 or more]"))
        .arg(number(
            "watch-hours",
            "HOURS",
            "Hours that a viewer watches of an hour of output [default: 1] [range: 0 or more]",
        ).requires("views"))
        .arg(
            number(
                "delivery-kwh-per-gb",
                "KWH",
                "Energy of delivering 10^9 bytes; docs/METHOD.md has published figures [default: none, required with --views] [range: 0 or more]",
            )
            .requires("views"),
        )
        .arg(
            Arg::new("instead-of")
                .long("instead-of")
                .value_name("SCENARIO")
                .help("Setting of today, by one of its scenarios [default: none] [format: name of a scenario]")
                .long_help(
                    "Setting of today, by one of its scenarios, to show what the advice saves; with a ledger, also in a month \
                     [default: none] [format: name of a scenario]",
                ),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

/// Reads the subcommand's arguments; an error names the flag.
pub(crate) fn options(matches: &ArgMatches) -> Result<Options, String> {
    let number = |name: &str| -> Result<Option<f64>, String> {
        let value = matches.get_one::<f64>(name).copied();
        match value.filter(|value| !(0.0..f64::INFINITY).contains(value)) {
            Some(value) => Err(format!("--{name}: {value} must be 0 or more")),
            None => Ok(value),
        }
    };
    let least = number("vmaf-min")?.unwrap_or_default();
    let least_vmaf = Vmaf::new(least).ok_or_else(|| format!("--vmaf-min: {least} must be from 0 to 100"))?;
    let most_bitrate = match matches.get_one::<String>("bitrate-max") {
        None => None,
        Some(text) => {
            let parsed = bitrate::parse(text, Dialect::Runner);
            Some(
                parsed
                    .ok_or_else(|| format!("--bitrate-max: {text:?} must have a form such as 2500k or 5M"))?,
            )
        }
    };
    let unit = match matches.get_one::<String>("by").map(String::as_str) {
        Some("cost") => Unit::Cost,
        Some("carbon") => Unit::Carbon,
        _ => Unit::Energy,
    };
    let delivery = match (number("views")?, number("delivery-kwh-per-gb")?) {
        (None, _) => None,
        (Some(_), None) => {
            return Err(
                "--views: name the energy of delivery with --delivery-kwh-per-gb; docs/METHOD.md has \
                        published figures"
                    .to_owned(),
            );
        }
        (Some(_), Some(_)) if unit == Unit::Cost => {
            return Err(
                "--views: the price of delivery is not known; use --by energy or --by carbon".to_owned()
            );
        }
        (Some(views), Some(kilowatt_hours)) => {
            Some(Delivery { hours: views * number("watch-hours")?.unwrap_or(1.0), kilowatt_hours })
        }
    };
    Ok(Options {
        file: matches.get_one::<String>("file").map(PathBuf::from),
        agent: address::address(matches),
        constraints: Constraints { least_vmaf, most_bitrate },
        unit,
        delivery,
        instead_of: matches.get_one::<String>("instead-of").cloned(),
        as_json: matches.get_flag("json"),
    })
}

/// An advice, and what it is based on.
#[derive(Debug)]
struct Answer<'a> {
    run: &'a str,
    options: &'a Options,
    currency: &'a str,
    advice: Advice<'a>,
    /// The setting of today.
    today: Option<Choice<'a>>,
    /// Its output in the ledger.
    month: Option<LedgerMonth>,
    /// The advice for each of several clips.
    clips: Vec<(&'a str, Option<Advice<'a>>)>,
    /// Encodes whose figures have another origin than those of the first one.
    unlike: usize,
}

/// The run that the advice is about, an agent's newest or one of this host, and what to compute costs with.
fn measured(
    options: &Options,
    config: &Config,
    prices: &Prices,
) -> Result<(FiguredRun, Prices), ReportError> {
    match &options.agent {
        Some(address) => report::run_of_agent(address, config, prices),
        None => Ok((report::figures_of_run(options.file.as_deref(), config, prices)?, prices.clone())),
    }
}

/// Writes the advice.
pub(crate) fn run(
    options: &Options,
    config: &Config,
    prices: &Prices,
    out: &mut dyn Write,
) -> Result<(), AdviseError> {
    let (FiguredRun { id: run, figures, .. }, prices) = &measured(options, config, prices)?;
    let mut settings = settings(figures);
    let encodes = settings.len();
    let origin = settings.first().map(Setting::origin);
    settings.retain(|setting| Some(setting.origin()) == origin);
    let mut known = choices(&settings, |setting| cost(setting, options, prices));
    known.sort_by(|one, other| other.vmaf.total_cmp(&one.vmaf));
    let Some(best) = known.first() else { return Err(AdviseError::NoSettings { run: run.clone() }) };
    let none_is_good =
        AdviseError::NoneIsGood { run: run.clone(), best: best.vmaf, name: output::name(best) };
    let today = match &options.instead_of {
        None => None,
        Some(name) => {
            let found = known.iter().find(|choice| Setting::find(&choice.settings, name).is_some());
            Some(found.cloned().ok_or_else(|| no_scenario(run, name, &known))?)
        }
    };
    let mut clips: Vec<&str> = settings.iter().map(|setting| setting.names.clip.as_str()).collect();
    clips.dedup();
    let of_clip = |clip: &str| {
        let own: Vec<Setting<'_>> =
            settings.iter().filter(|setting| setting.names.clip == clip).cloned().collect();
        advise(choices(&own, |setting| cost(setting, options, prices)), options.constraints)
    };
    // The ledger of this host has nothing of another agent's output.
    let month = today.as_ref().filter(|_| options.agent.is_none());
    let month = month.and_then(|today| month_of(today, config));
    let answer = Answer {
        month,
        run,
        options,
        currency: &prices.currency,
        advice: advise(known, options.constraints).ok_or(none_is_good)?,
        today,
        clips: clips.iter().filter(|_| clips.len() > 1).map(|clip| (*clip, of_clip(clip))).collect(),
        unlike: encodes - settings.len(),
    };
    if options.as_json {
        output::as_json(&answer, out)?;
    } else {
        output::as_text(&answer, out)?;
    }
    Ok(())
}

/// Output of the setting of today in the ledger, where there is one. The advice stands without it.
fn month_of(today: &Choice<'_>, config: &Config) -> Option<LedgerMonth> {
    let ledger = Ledger::open_first_for_reading(&config.state_dirs());
    match ledger.and_then(|ledger| LedgerMonth::read(&ledger, today, SystemClock.wall())) {
        Ok(month) => month,
        Err(LedgerError::Missing { .. }) => None,
        Err(error) => {
            tracing::warn!("no savings of a month: {}", chain(&error));
            None
        }
    }
}

fn no_scenario(run: &str, name: &str, known: &[Choice<'_>]) -> AdviseError {
    let scenarios = known.iter().flat_map(|choice| &choice.settings).flat_map(|setting| &setting.scenarios);
    let known: Vec<&str> = scenarios.map(|figures| figures.names.scenario.as_str()).collect();
    AdviseError::NoScenario { run: run.to_owned(), name: name.to_owned(), known: known.join(", ") }
}

/// Cost of an hour of output, with its delivery.
fn cost(setting: &Setting<'_>, options: &Options, prices: &Prices) -> Option<Estimate> {
    let (encoding, kilowatt_hour) = match options.unit {
        Unit::Energy => (output_hour::kilowatt_hours(setting)?, 1.0),
        Unit::Carbon => (output_hour::carbon(setting, prices.carbon)?, prices.carbon.0),
        Unit::Cost => return output_hour::money(setting, &prices.tariff),
    };
    let Some(delivery) = options.delivery else { return Some(encoding) };
    let delivered =
        output_hour::gigabytes(setting)? * delivery.hours * delivery.kilowatt_hours * kilowatt_hour;
    Some(Estimate { mean: encoding.mean + delivered, ..encoding })
}

#[cfg(test)]
mod tests;
