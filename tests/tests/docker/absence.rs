//! Tests an engine that starts later, restarts or hangs.

use rustix::process::Signal;
use tests::agent::Agent;
use tests::ffmpeg::live;

use super::{BURN, agent, energy_of, engine, is_up, name_of, start};

#[test]
fn an_engine_that_starts_later_or_restarts_is_found_again() {
    let mut engine = engine();
    engine.stop_daemon().unwrap();
    let agent = Agent::start_with_docker(engine.socket(), &[]).unwrap();
    let absent = [("source", "docker"), ("state", "absent")];
    agent
        .until("the engine is known to be away", |scrape| scrape.sum("ffwatt_source_state", &absent))
        .unwrap();
    for round in 0..2 {
        engine.start_daemon().unwrap();
        agent.until("the engine is back", |scrape| is_up(scrape).filter(|up| *up)).unwrap();
        let name = format!("round-{round}");
        let id = start(&engine, &["--name", &name], &["sh", "-c", BURN]);
        agent
            .until("the container has its name", |scrape| name_of(scrape, &id).filter(|known| *known == name))
            .unwrap();
        engine.stop_daemon().unwrap();
        agent.until("the engine is away", |scrape| is_up(scrape).filter(|up| !*up)).unwrap();
        let scrape = agent.wait_ticks(1).unwrap();
        assert_eq!(name_of(&scrape, &id), Some(name), "what was learned is not forgotten");
        assert!(scrape.residuals().values().all(|left| *left == 0));
    }
}

#[test]
fn an_engine_that_hangs_keeps_nobody_and_is_heard_again() {
    let engine = engine();
    let agent = agent(&engine);
    let early = start(&engine, &["--name", "early"], &live("60"));
    agent.until("it is named", |scrape| name_of(scrape, &early).filter(|name| name == "early")).unwrap();
    engine.signal(Signal::STOP).unwrap();
    let before = energy_of(&agent.scrape().unwrap(), &early).unwrap();
    let during = agent.wait_ticks(3).unwrap();
    assert!(energy_of(&during, &early).unwrap() > before, "what runs is charged, by its name");
    assert_eq!(name_of(&during, &early).as_deref(), Some("early"));
    assert!(during.residuals().values().all(|left| *left == 0));
    // One that starts meanwhile finds it hanging.
    let socket = engine.socket().to_str().unwrap().to_owned();
    let second = Agent::start(&[
        "--energy.source=model",
        "--containers.docker-socket",
        &socket,
        "--containers.podman-socket=",
    ])
    .unwrap();
    let scrape = second.wait_ticks(2).unwrap();
    assert_ne!(is_up(&scrape), Some(true));
    assert!(scrape.residuals().values().all(|left| *left == 0));
    engine.signal(Signal::CONT).unwrap();
    let late = start(&engine, &["--name", "late"], &["sh", "-c", BURN]);
    for agent in [&agent, &second] {
        for (id, name) in [(&early, "early"), (&late, "late")] {
            agent.until("it is named", |scrape| name_of(scrape, id).filter(|known| known == name)).unwrap();
        }
        assert!(agent.scrape().unwrap().residuals().values().all(|left| *left == 0));
    }
}
