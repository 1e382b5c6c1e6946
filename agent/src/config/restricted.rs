//! Refuses options and files of a caller with fewer rights than the agent (a binary with file capabilities).
//!
//! With an option that names a file, a program or a socket, the agent would open, write or start it for its caller. Only the options that
//! are listed here as harmless are taken, so a new key is refused until it is added to the list.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::keys::KEYS;
use super::layers::{ConfigError, Layers};

/// Keys that choose no file, no program and no socket, and do not change the kernel's memory use.
const HARMLESS: &[&str] = &[
    "interval",
    "listen.address",
    "listen.port",
    "listen.rapl_port",
    "listen.docker_port",
    "listen.results_port",
    "listen.qoe_port",
    "listen.cost_port",
    "cpu.source",
    "cpu.tracked",
    "energy.source",
    "energy.plausible_watts",
    "energy.model_cpu",
    "energy.model_threads_per_vcpu",
    "energy.model_idle_watts",
    "energy.model_busy_watts",
    "attribution.idle_policy",
    "attribution.idle_watts",
    "attribution.shared_core_weight",
    "attribution.keep_ended",
    "attribution.max_workloads",
    "attribution.max_classes",
    "results.rescan",
    "price.per_kwh",
    "price.per_cpu_hour",
    "price.per_gpu_hour",
    "price.per_core_second",
    "price.per_joule",
    "price.currency",
    "price.also",
    "price.region",
    "price.viewers",
    "budget.cost_per_day",
    "budget.cost_per_month",
    "budget.kwh_per_day",
    "budget.kwh_per_month",
    "compat.zones",
    "log.level",
    "log.format",
];

impl Layers {
    /// The layers that a caller with fewer rights may choose: harmless flags, and the configuration file at its usual
    /// path when root alone can write to it.
    pub(crate) fn restricted(self, usual_file: &Path) -> Result<Self, ConfigError> {
        if self.file.as_ref().is_some_and(|file| file != usual_file) {
            return Err(ConfigError::Refused {
                option: "config".to_owned(),
                usual_file: usual_file.to_path_buf(),
            });
        }
        for key in KEYS {
            let Some(value) = self.flags.get(key.path) else { continue };
            // An engine whose socket has no name is not used.
            let turns_off = value.is_empty() && key.path.ends_with("_socket");
            if !turns_off && !HARMLESS.contains(&key.path) {
                return Err(ConfigError::Refused {
                    option: key.flag(),
                    usual_file: usual_file.to_path_buf(),
                });
            }
        }
        Ok(Self { environment: BTreeMap::new(), is_restricted: true, ..self })
    }
}

/// Whether root alone can change an open file. Its folder counts too: a user who can write there can replace the file.
pub(super) fn is_roots_alone(path: &Path, file: &File) -> std::io::Result<bool> {
    let folder = path.parent().unwrap_or(Path::new("/")).metadata()?;
    let file = file.metadata()?;
    Ok([file, folder].iter().all(|metadata| metadata.uid() == 0 && metadata.mode() & 0o022 == 0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn layers(flags: &[(&'static str, &str)]) -> Layers {
        let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Layers { flags, ..Layers::default() }
    }

    #[test]
    fn every_key_that_is_not_harmless_is_refused_and_named() {
        for key in HARMLESS {
            assert!(KEYS.iter().any(|known| known.path == *key), "{key} is no key");
        }
        for key in KEYS {
            let result = layers(&[(key.path, "1")]).restricted(Path::new("/usual"));
            match result {
                Ok(_) => assert!(HARMLESS.contains(&key.path), "{}", key.path),
                Err(error) => {
                    let said = error.to_string();
                    let named = said.starts_with(&format!("--{} is refused", key.flag()));
                    assert!(named && said.contains("/usual") && said.contains("file capabilities"), "{said}");
                }
            }
        }
        let no_engine = ["containers.docker_socket", "containers.podman_socket", "containers.cri_socket"]
            .map(|key| (key, ""));
        assert!(layers(&no_engine).restricted(Path::new("/usual")).is_ok());
        // An empty value would be the working folder.
        assert!(layers(&[("path.sysfs", "")]).restricted(Path::new("/usual")).is_err());
        // Names with these words are not harmless: their values would be opened, written to, started or connected to.
        for word in ["path.", "_dir", "file", "socket", "ffmpeg", "sandbox"] {
            assert!(!HARMLESS.iter().any(|key| key.contains(word)), "{word}");
        }
    }

    #[test]
    fn only_the_usual_file_counts_and_no_environment() {
        let usual = Path::new("/usual");
        let of = |file: &str| Layers { file: Some(file.into()), ..Layers::default() };
        assert!(of("/usual").restricted(usual).is_ok());
        let said = of("/mine").restricted(usual).unwrap_err().to_string();
        assert!(said.starts_with("--config is refused") && !said.contains("/mine"), "{said}");
        let environment = [("FFWATT_STATE_DIR".into(), "/mine".into())].into();
        let restricted = Layers { environment, ..Layers::default() }.restricted(usual).unwrap();
        assert_eq!(restricted.resolve().unwrap().state_dir, None);
    }

    #[test]
    fn a_file_that_others_can_change_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ffwatt.toml");
        std::fs::write(&path, "interval = \"2s\"\n").unwrap();
        let is_mine = folder.path().metadata().unwrap().uid() == 0;
        for (of_folder, of_file, is_safe) in
            [(0o755, 0o644, true), (0o755, 0o664, false), (0o755, 0o646, false), (0o777, 0o644, false)]
        {
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(of_folder)).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(of_file)).unwrap();
            let layers = Layers { file: Some(path.clone()), ..Layers::default() }.restricted(&path).unwrap();
            assert_eq!(layers.resolve().is_ok(), is_safe && is_mine, "{of_folder:o} {of_file:o}");
        }
    }
}
