//! Checks the web configuration for `ffwatt check`: whether the file can be used, and which access it gives.

use super::{Report, State};
use crate::config::Config;
use crate::error::chain;
use crate::server::AccessFile;

impl Report {
    pub(super) fn check_access(&mut self, config: &Config) {
        let Some(path) = &config.web.config_file else {
            // Only this host can reach the listeners, so nothing is missing.
            let detail = "plain HTTP, no password";
            let fix = if config.listen.address.is_loopback() {
                ""
            } else {
                "set --web.config.file for TLS and passwords"
            };
            self.add("ports", "access", State::Note, detail, fix);
            return;
        };
        match AccessFile::open(path) {
            Ok((_, auth_config)) => {
                let detail = format!("{} by {}", auth_config.summary(), path.display());
                self.add("ports", "access", State::Used, detail, "");
            }
            Err(error) => {
                self.add("ports", "access", State::Fatal, chain(&error), "correct the file");
            }
        }
    }
}
