//! Arguments that name a running agent: its address, and the CA file for its certificate.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

/// A running agent.
#[derive(Clone, Debug)]
pub(crate) struct AgentAddress {
    /// Address, which may have a password.
    pub(crate) url: String,
    /// Trusted CA certificates, as PEM.
    pub(crate) ca: Option<PathBuf>,
}

/// `--url`.
pub(crate) fn url(help: &'static str) -> Arg {
    Arg::new("url").long("url").value_name("URL").help(help)
}

/// `--ca`.
pub(crate) fn ca() -> Arg {
    Arg::new("ca").long("ca").value_name("PATH").value_parser(value_parser!(PathBuf)).help(
        "CA file for the agent's certificate [default: CA certificates of this host] [format: path of a PEM file]",
    )
}

/// The agent of both arguments, where one is named.
pub(crate) fn address(matches: &ArgMatches) -> Option<AgentAddress> {
    let ca = matches.get_one::<PathBuf>("ca").cloned();
    matches.get_one::<String>("url").map(|url| AgentAddress { url: url.clone(), ca })
}
