//! `ffwatt top`: shows power and encodes of a running agent in the terminal, from its API.
//!
//! One thread requests the API once a second, so that a key never waits for an answer. Only keys and answers change the state, which is
//! drawn after each change.

mod client;
mod detail;
mod fitting;
mod format;
mod help;
mod keys;
mod layout;
mod power_history;
mod print;
mod rows;
mod state;
mod view;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::api::Answer;
use crate::command::{address, check};
use crate::config::Config;

pub(crate) use client::{Client, ClientError};
use state::{State, Step};

/// Interval of requests.
const PERIOD: Duration = Duration::from_secs(1);

/// Time that a key may wait for the screen.
const PATIENCE: Duration = Duration::from_millis(100);

/// Options of `ffwatt top`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Address of the agent; without one, the agent of this host.
    pub url: Option<String>,
    /// Trusted CA certificates, as PEM.
    pub ca: Option<PathBuf>,
    /// Print once, and end.
    pub once: bool,
    /// Print once as JSON, and end.
    pub json: bool,
    /// Show only lines that contain this text.
    pub filter: String,
    /// The column to sort by.
    pub sort: Option<String>,
}

/// The reason why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopError {
    /// The agent gives no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// There is no such column.
    #[error("--sort {asked}: unknown column; the columns are {known}")]
    Sort {
        /// The requested column.
        asked: String,
        /// The existing columns.
        known: String,
    },
    /// The screen is no terminal.
    #[error("standard output is not a terminal: use --once, or --json for programs")]
    NoTerminal,
    /// The terminal cannot be used.
    #[error("the terminal")]
    Terminal(#[from] io::Error),
}

impl TopError {
    /// Whether the command line was wrong.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Sort { .. }
                | Self::NoTerminal
                | Self::Client(ClientError::Url(_) | ClientError::Certificate { .. })
        )
    }
}

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    Command::new("top")
        .about("Show containers and encodes of a running agent in the terminal")
        .arg(address::url(
            "Address of the agent [default: the agent on this host] [format: http://host:9510, https://user:password@host:9510]",
        ))
        .arg(address::ca())
        .arg(Arg::new("once").long("once").action(ArgAction::SetTrue).help("Print once, then exit"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print once as JSON, then exit"))
        .arg(Arg::new("filter").long("filter").value_name("TEXT").help("Show only rows with this text [default: all] [format: text]"))
        .arg(Arg::new("sort").long("sort").value_name("COLUMN").help("Column to sort by [default: power] [format: title of a column]"))
}

/// Reads the subcommand's arguments.
pub(crate) fn options(matches: &ArgMatches) -> Options {
    Options {
        url: matches.get_one::<String>("url").cloned(),
        ca: matches.get_one::<PathBuf>("ca").cloned(),
        once: matches.get_flag("once"),
        json: matches.get_flag("json"),
        filter: matches.get_one::<String>("filter").cloned().unwrap_or_default(),
        sort: matches.get_one::<String>("sort").cloned(),
    }
}

/// Shows the agent's figures until the user quits; or once, into `out`.
pub(crate) fn run(options: &Options, config: &Config, out: &mut dyn Write) -> Result<(), TopError> {
    let here = || format!("http://{}", check::reachable(config.listen.address, config.listen.port));
    let client = Client::new(&options.url.clone().unwrap_or_else(here), options.ca.as_deref())?;
    let mut state = State::new(client.shown().to_owned(), options.filter.clone());
    if let Some(sort) = &options.sort {
        state.sort_by(sort).map_err(|known| TopError::Sort { asked: sort.clone(), known })?;
    }
    let first = client.ask()?;
    state.answered(Ok(first));
    if options.json {
        return Ok(print::json(&state, out)?);
    }
    if options.once {
        return Ok(print::text(&state, out)?);
    }
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let answers = follow(client)?;
    let mut terminal = ratatui::try_init()?;
    let result = show(&mut terminal, &mut state, &answers);
    ratatui::try_restore()?;
    Ok(result?)
}

/// Requests snapshots in a separate thread, until the receiver is dropped.
#[expect(clippy::disallowed_methods, reason = "a thread of its own requests snapshots")]
fn follow(client: Client) -> io::Result<Receiver<Result<Answer, ClientError>>> {
    let (sender, answers) = channel();
    let ask = move || {
        while sender.send(client.ask()).is_ok() {
            thread::sleep(PERIOD);
        }
    };
    thread::Builder::new().name("top".to_owned()).spawn(ask)?;
    Ok(answers)
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    state: &mut State,
    answers: &Receiver<Result<Answer, ClientError>>,
) -> io::Result<()> {
    loop {
        terminal.draw(|frame| view::draw(frame, state))?;
        if event::poll(PATIENCE)?
            && let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
            && state.press(key) == Step::End
        {
            return Ok(());
        }
        match answers.recv_timeout(Duration::ZERO) {
            Ok(answer) => state.answered(answer),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
