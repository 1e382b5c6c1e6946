//! Tests prices that are read again or cannot be used.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tests::agent::Agent;
use tests::exposition::Exposition;
use tests::host::Host;

use super::write;

#[test]
fn a_hangup_reads_prices_and_the_results_folder_again() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = folder.path().join("ffwatt.toml");
    let configure = |price: &str, results: &Path| {
        let text = format!(
            "results_dir = {:?}\n[price]\nper_kwh = {price}\nper_cpu_hour = 0.0\n",
            results.display().to_string()
        );
        fs::write(&file, text).unwrap();
    };
    configure("3.6", folder.path());
    let host = Host::client().unwrap();
    let flags = host.flags();
    let config = format!("--config={}", file.display());
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain([config.as_str(), "--interval=200ms"]).collect();
    let agent = Agent::start(&flags).unwrap();
    let scenario = |name: &str| {
        format!(
            r#"{{"scenarios":[{{"name":"{name}","start_time":1000,"end_time":1010,"power":{{"mean_watts":100}}}}]}}"#
        )
    };
    write(folder.path(), "test_results_1.json", &scenario("first"));
    write(other.path(), "test_results_1.json", &scenario("second"));
    let until = |what: &str, ask: &dyn Fn(&Exposition) -> bool| {
        let found = tests::command::eventually(what, Duration::from_secs(10), || {
            agent.scrape_port(agent.ports.cost).ok().filter(|scrape| ask(scrape))
        });
        found.unwrap_or_else(|error| panic!("{error}: {}", agent.log()))
    };
    let is = |name: &'static str, cost: f64| {
        move |scrape: &Exposition| {
            scrape.sum("cost_total", &[("scenario", name)]).is_some_and(|found| (found - cost).abs() < 1e-12)
        }
    };
    until("a joule is a millionth", &is("first", 0.001));
    configure("\"much\"", folder.path());
    agent.signal(rustix::process::Signal::HUP).unwrap();
    until("the mistake is said", &|_| agent.log().contains("the configuration does not change"));
    assert!(agent.log().contains("per_kwh"), "{}", agent.log());
    until("the old price", &is("first", 0.001));
    configure("7.2", other.path());
    agent.signal(rustix::process::Signal::HUP).unwrap();
    until("the new price and folder", &is("second", 0.002));
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn prices_that_cannot_be_used_end_it_with_the_key_at_fault() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let file = host.path("prices.json");
    fs::write(&file, r#"{"electricity_prices":{"home":"much"}}"#).unwrap();
    let file = format!("--price.file={}", file.display());
    for (flag, words) in [
        ("--price.region=mars", "price.region"),
        ("--price.also=EUR", "price.also"),
        ("--price.per-kwh=-1", "price.per_kwh"),
        (file.as_str(), "\"home\""),
    ] {
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain([flag]).collect();
        let mut agent = Agent::spawn(&tests::agent::binary().unwrap(), &flags, &[]).unwrap();
        let (status, log) = agent.wait_end().unwrap();
        assert!(!status.success() && log.contains(words), "{flag}: {log}");
    }
}
