//! Tests the configurations and rules that are shipped for Prometheus and Alertmanager.

use std::fs;
use std::process::Command;

use tests::command::output;

use super::repository;

/// The configuration with which docker-compose.yml starts Alertmanager, with and without `ALERT_WEBHOOK_URL`.
#[test]
fn alerts_go_nowhere_unless_an_address_is_given() {
    let compose = fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
    assert!(compose.contains("ALERT_WEBHOOK_URL: ${ALERT_WEBHOOK_URL:-}\n"), "unset is empty");
    let (_, service) = compose.split_once("\n  alertmanager:\n").unwrap();
    let (_, script) = service.split_once("- |\n").unwrap();
    let script: Vec<&str> = script.lines().take_while(|line| !line.contains("exec ")).collect();
    for (address, receiver) in [("", "nowhere"), ("http://example.com/hook", "webhook")] {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let script = script
            .join("\n")
            .replace("$$", "$")
            .replace("/tmp/", &place(""))
            .replace("/etc/alertmanager", &repository().join("packaging/alertmanager").display().to_string());
        output(Command::new("sh").args(["-ec", &script]).env("ALERT_WEBHOOK_URL", address)).unwrap();
        let config = fs::read_to_string(place("alertmanager.yml")).unwrap();
        assert!(config.contains(&format!("route:\n  receiver: {receiver}\n")), "{config}");
        assert_eq!(fs::read_to_string(place("webhook-url")).unwrap(), address);
        assert!(config.contains("\n  - name: nowhere\n  - name: webhook\n"), "{config}");
    }
}

#[test]
fn configuration_and_rules_are_what_promtool_takes() {
    let folder = repository().join("packaging/prometheus");
    let promtool =
        |arguments: &[&str]| output(Command::new("promtool").current_dir(&folder).args(arguments)).unwrap();
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "rules.yml", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    promtool(&["test", "rules", "rules_test.yml"]);
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (alerts, tests, words) = (
        read("packaging/prometheus/alerts.yml"),
        read("packaging/prometheus/alerts_test.yml"),
        read("docs/ALERTS.md"),
    );
    for name in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(
            tests.contains(&format!("- name: {name} fires"))
                && tests.contains(&format!("- name: {name} is quiet"))
        );
        assert!(words.contains(&format!("\n## {name}\n")), "docs/ALERTS.md says nothing of {name}");
        assert!(
            alerts.contains(&format!("docs/ALERTS.md#{}\n", name.to_lowercase())),
            "{name} has no runbook"
        );
    }
}
