//! `ffwatt run`: the pipeline, the listeners and the engines' streams, from start to a clean end.
//!
//! Order of the start: the first thread opens everything that needs privileges; then it gives them up, and only then
//! starts other threads, which inherit the remaining rights.
//!
//! Order of the end: the listeners finish open requests, the pipeline ends its tick, and with it the eBPF programs are
//! detached. Nothing is left in the kernel.

use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use agent_core::join::figures::Prices;
use agent_core::metrics::Options;
use agent_core::metrics::catalog::Listener;
use agent_core::model::joined::Joined;
use agent_core::model::snapshot::SharedSnapshot;
use anyhow::Context;
use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::SystemClock;
use crate::command::check;
use crate::config::{Config, ConfigError};
use crate::pipeline::{Links, Mailbox, Message, OpenError, Pipeline, Requests, mailbox};
use crate::privileges::{self, Outcome, Plan};
use crate::progress::ProgressRegistry;
use crate::results::{self, Change, ResultsWorker};
use crate::server::{
    AccessFile, Addresses, AnswerSources, AuthConfig, Authenticator, Bound, ListenError, Summary,
    connection_limit,
};
use crate::source::identity::cri::{self, ContainerRequests};
use crate::source::identity::docker::{self, Engine};
use crate::source::identity::kubelet::{self, LogFolders, NameRequests};

/// Time in which open requests may finish when the agent ends.
const GRACE: Duration = Duration::from_secs(3);

/// Runs until SIGINT or SIGTERM. With SIGHUP, prices, budgets and the results folder are read again by `reload`.
pub(crate) fn run(config: &Config, reload: impl Fn() -> Result<Config, ConfigError>) -> anyhow::Result<()> {
    let early = ignore_hangups().context("cannot listen for SIGHUP")?;
    let opened = Opened::open(config)?;
    let (cpu, energy) = opened.pipeline.sources();
    for (restriction, outcome) in privileges::give_up(&Plan::new(config, cpu, energy)) {
        let name = restriction.name();
        match outcome {
            Outcome::Done(detail) | Outcome::Partly(detail) | Outcome::Off(detail) => {
                tracing::info!("{name}: {detail}");
            }
            Outcome::Failed(detail) => tracing::warn!("{name}: {detail}"),
        }
    }
    // All scrapes of a tick share one text, and what blocks has a thread of its own. A second worker would keep buffers of the same size.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    drop(early);
    runtime.block_on(run_async(config, opened, reload))
}

/// Reads the files that the configuration names, as [`run`] does at its start.
pub(crate) fn validate(config: &Config) -> anyhow::Result<()> {
    results::prices(config)?;
    if let Some(path) = &config.web.config_file {
        open_access(path)?;
    }
    Ok(())
}

fn open_access(path: &Path) -> anyhow::Result<(AccessFile, AuthConfig)> {
    AccessFile::open(path).with_context(|| format!("--web.config.file {}", path.display()))
}

/// Ignores SIGHUP, which would end the process while it starts. The handler stays when the
/// runtime is dropped.
fn ignore_hangups() -> std::io::Result<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let _ = signal(SignalKind::hangup())?;
    drop(entered);
    Ok(runtime)
}

/// Everything that is opened before threads are started.
struct Opened {
    access: Option<AccessFile>,
    auth_config: AuthConfig,
    bound: Vec<Bound>,
    mailbox: Mailbox,
    registry: Arc<ProgressRegistry>,
    snapshots: watch::Receiver<Option<SharedSnapshot>>,
    join_publisher: watch::Sender<Arc<Joined>>,
    prices: Prices,
    pipeline: Pipeline,
    names: Option<NameRequests>,
    containers: Option<ContainerRequests>,
}

impl Opened {
    fn open(config: &Config) -> anyhow::Result<Self> {
        let (access, auth_config) = match &config.web.config_file {
            Some(path) => {
                let (file, auth_config) = open_access(path)?;
                (Some(file), auth_config)
            }
            None => (None, AuthConfig::allow_all()),
        };
        // Ports first: without them, loading programs into the kernel is useless.
        let bound = open_listeners(config)?;
        let (mailbox, inbox) = mailbox().context("cannot make the pipeline's mailbox")?;
        let (publisher, snapshots) = watch::channel(None);
        let (join_publisher, joined) = watch::channel(Arc::new(Joined::default()));
        let prices = results::prices(config)?;
        let clock = Box::new(SystemClock);
        let notifier = mailbox.clone();
        let registry = Arc::new(ProgressRegistry::new(move || {
            // An error means that the pipeline has ended.
            notifier.tell(Message::Progress);
        }));
        let names = config.kubelet_logs().are_used().then(kubelet::requests).transpose();
        let (request, names) = names.context("cannot make the requests of names")?.unzip();
        let (containers, described) = config.containers.runtime().map(|_| cri::requests()).unzip();
        let requests = Requests { names: request, containers };
        let links = Links { inbox, publisher, joined, registry: Arc::clone(&registry), requests };
        let pipeline = Pipeline::open(config, clock, prices.clone(), links).map_err(with_hint)?;
        Ok(Self {
            access,
            auth_config,
            bound,
            mailbox,
            registry,
            snapshots,
            join_publisher,
            prices,
            pipeline,
            names,
            containers: described,
        })
    }
}

async fn run_async(
    config: &Config,
    opened: Opened,
    reload: impl Fn() -> Result<Config, ConfigError>,
) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let mut addresses = Addresses::new();
    for listener in &opened.bound {
        addresses.push((
            listener.listener(),
            listener.address().context("cannot ask a listener for its address")?,
        ));
    }
    let parts = results::Parts {
        clock: Box::new(SystemClock),
        prices: opened.prices,
        mailbox: opened.mailbox.clone(),
        snapshots: opened.snapshots.clone(),
        publisher: opened.join_publisher,
    };
    let worker = ResultsWorker::new(config, parts);
    let (stop, stopped) = watch::channel(false);
    let sources = AnswerSources {
        snapshots: opened.snapshots.clone(),
        options: Options { zone_names: config.compat.zones },
        addresses: Arc::new(addresses),
        ledger_folder: results::ledger_folder(&config.state_dirs()),
        registry: opened.registry,
    };
    let mut tasks = JoinSet::new();
    let authenticator = Authenticator::new(
        opened.auth_config.clone(),
        connection_limit(opened.bound.len()),
        &config.listen.host_names,
    );
    for listener in opened.bound {
        tasks.spawn(listener.serve(sources.clone(), authenticator.clone(), stopped.clone()));
    }
    let following = opened.access.map(|access| tokio::spawn(access.follow()));
    if let Some(requests) = opened.names {
        follow_kubelet(config.kubelet_logs(), requests, opened.mailbox.clone())?;
    }
    let mut engines: Vec<_> =
        engines(config).map(|engine| tokio::spawn(listen_to(engine, opened.mailbox.clone()))).collect();
    if let Some((socket, requests)) = config.containers.runtime().zip(opened.containers) {
        engines.push(tokio::spawn(follow_runtime(socket.to_path_buf(), requests, opened.mailbox.clone())));
    }
    let ticking = thread::Builder::new().name("pipeline".to_owned()).spawn(move || opened.pipeline.run());
    let ticking = ticking.context("cannot start the pipeline's thread")?;
    let (changes, changed) = mpsc::channel();
    let joining = thread::Builder::new().name("results".to_owned()).spawn(move || worker.run(&changed));
    let joining = joining.context("cannot start the results thread")?;
    announce(&sources.addresses, opened.auth_config.summary());
    let supervisor = tokio::spawn(tell_supervisor(opened.snapshots));
    let mut alive = watch_end(ticking);
    let ended_early = loop {
        tokio::select! {
            _ = interrupt.recv() => break false,
            _ = terminate.recv() => break false,
            _ = &mut alive => break true,
            _ = hangup.recv() => match changed_config(&reload) {
                Ok(change) => {
                    tracing::info!("prices, budgets and the results folder are read again");
                    opened.mailbox.tell(Message::Prices(change.prices.clone()));
                    // The end of the results thread was already reported.
                    let _ = changes.send(change);
                }
                Err(error) => tracing::error!("{error:#}: the configuration does not change"),
            },
        }
    };
    tracing::info!("ending");
    supervisor.abort();
    supervise(NotifyState::Stopping);
    for task in engines.into_iter().chain(following) {
        task.abort();
    }
    opened.mailbox.tell(Message::Stop);
    let _ = stop.send(true);
    drop(changes);
    let finish = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::warn!("some HTTP answers were not complete at the end");
    }
    if ended_early {
        anyhow::bail!("the pipeline ended by itself; this is a bug worth reporting");
    }
    alive.await.context("the pipeline's thread has ended")?;
    if joining.join().is_err() {
        tracing::error!("the results thread panicked");
    }
    Ok(())
}

fn changed_config(reload: &impl Fn() -> Result<Config, ConfigError>) -> anyhow::Result<Change> {
    let config = reload()?;
    let prices = results::prices(&config)?;
    Ok(Change { config, prices })
}

/// Tells systemd that the agent is ready at its first tick, and alive at every later one.
async fn tell_supervisor(mut snapshots: watch::Receiver<Option<SharedSnapshot>>) {
    if snapshots.changed().await.is_ok() {
        supervise(NotifyState::Ready);
    }
    while snapshots.changed().await.is_ok() {
        supervise(NotifyState::Watchdog);
    }
}

/// Does nothing without a supervisor.
fn supervise(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(false, &[state]) {
        tracing::debug!("cannot notify systemd: {error}");
    }
}

/// Waits for the pipeline's thread without blocking the runtime.
fn watch_end(ticking: thread::JoinHandle<()>) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        if ticking.join().is_err() {
            tracing::error!("the pipeline panicked");
        }
    })
}

fn open_listeners(config: &Config) -> anyhow::Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for listener in Listener::ALL {
        let port = config.listen.port_of(listener);
        if let Some(address) = config.address(port) {
            bound.push(Bound::open(listener, address).map_err(listen_hint)?);
        }
    }
    Ok(bound)
}

fn engines(config: &Config) -> impl Iterator<Item = Engine> {
    let engines = config.containers.engines();
    engines.map(|(kind, socket)| Engine { name: kind.name(), socket: socket.to_path_buf() })
}

async fn listen_to(engine: Engine, mailbox: Mailbox) {
    let name = engine.name;
    docker::listen(engine, |event| mailbox.tell(Message::Engine { name, event })).await;
}

async fn follow_runtime(socket: PathBuf, requests: ContainerRequests, mailbox: Mailbox) {
    let tell = |event| mailbox.tell(Message::Engine { name: cri::SOURCE, event });
    cri::follow(socket, requests, tell).await;
}

/// Follows the kubelet's log folders on a thread of its own, until the pipeline ends.
fn follow_kubelet(folders: LogFolders, requests: NameRequests, mailbox: Mailbox) -> anyhow::Result<()> {
    let tell = move |event| mailbox.tell(Message::Names { source: kubelet::SOURCE, event });
    let follow = move || kubelet::follow(&folders, &requests, &SystemClock, tell);
    thread::Builder::new().name("names".to_owned()).spawn(follow).context("cannot start the names thread")?;
    Ok(())
}

fn announce(addresses: &Addresses, access: Summary) {
    let scheme = if access.is_encrypted { "https" } else { "http" };
    for (listener, address) in addresses {
        tracing::info!("{}: {scheme}://{address}/metrics", listener.name());
    }
    if access.is_encrypted || access.users > 0 {
        tracing::info!("{access}");
    }
    for line in where_to_look(addresses, scheme) {
        tracing::info!("{line}");
    }
}

/// Three lines for the user who has started it: the page, the terminal, and what to do about missing figures.
fn where_to_look(addresses: &Addresses, scheme: &str) -> Vec<String> {
    let Some((_, address)) = addresses.iter().find(|(listener, _)| *listener == Listener::Main) else {
        return Vec::new();
    };
    let url = format!("{scheme}://{}", check::reachable(address.ip(), address.port()));
    vec![
        format!("in the browser: {url}/"),
        format!("in the terminal: ffwatt top --url {url}"),
        "when something is missing: ffwatt check".to_owned(),
    ]
}

fn with_hint(error: OpenError) -> anyhow::Error {
    let hint = error.hint().to_owned();
    let error = anyhow::Error::new(error);
    if hint.is_empty() { error } else { anyhow::anyhow!("{error:#} ({hint})") }
}

fn listen_hint(error: ListenError) -> anyhow::Error {
    let hint = error.hint();
    anyhow::anyhow!("{:#}: {hint}", anyhow::Error::new(error))
}
