//! The agent on the node of a cluster: its pod, its scrapes, and the names that Kubernetes has for all containers.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use ::tests::command::{eventually, output, pause};
use ::tests::exposition::{Exposition, Sample};
use anyhow::{Context, ensure};
use serde_json::Value;

use super::cluster::Cluster;
use super::workloads::{self, LIVE};

/// Namespace and name of the release.
pub(super) const RELEASE: &str = "ffwatt";

/// Time limit for what the agent shows after its next ticks.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Time limit for what Kubernetes does with a few pods.
pub(super) const POD_PATIENCE: Duration = Duration::from_mins(3);

/// Pause between two questions: the pods need the CPUs, too.
const ROUND: Duration = Duration::from_millis(250);

pub(super) const INFO: &str = "ffwatt_workload_info";
pub(super) const CPU: &str = "ffwatt_workload_cpu_seconds_total";
pub(super) const ENERGY: &str = "ffwatt_workload_energy_joules_total";

const TICKS: &str = "ffwatt_tick_duration_seconds_count";

/// A pod of the agent.
#[derive(Clone, Debug, Default)]
pub(super) struct AgentPod {
    pub(super) name: String,
    pub(super) address: String,
    /// Id of its container.
    pub(super) container: String,
    pub(super) restarts: u64,
}

/// A cluster with the agent.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) cluster: &'a mut Cluster,
    /// The chart.
    pub(super) chart: String,
    pub(super) agent: AgentPod,
    /// Scrapes that were exact and had all names, and those that were not.
    pub(super) scrapes: usize,
    pub(super) faults: usize,
}

impl Scene<'_> {
    /// Makes a pod that is older than the agent.
    pub(super) fn older_pod(&self) -> anyhow::Result<()> {
        self.namespace(LIVE)?;
        self.cluster.create(&workloads::waiting_pod(LIVE, "older"))?;
        self.pod(LIVE, "older", "Running").map(drop)
    }

    /// Makes a namespace, and waits for its service account, without which it can have no pods.
    pub(super) fn namespace(&self, name: &str) -> anyhow::Result<()> {
        self.cluster.create(&workloads::namespace(name))?;
        self.wait("the namespace has a service account", |cluster| {
            let account = cluster.get(&["serviceaccount", "default", "--namespace", name]).ok()?;
            account["secrets"].as_array().map(drop)
        })
    }

    /// Waits until all pods of a `DaemonSet` or a deployment are new and ready.
    pub(super) fn wait_rollout(&self, kind: &str, namespace: &str, name: &str) -> anyhow::Result<()> {
        let object = format!("{kind}/{name}");
        self.cluster
            .kubectl(&["rollout", "status", &object, "--namespace", namespace, "--timeout=200s"])
            .map(drop)
    }

    /// Runs a command in the container of the agent.
    pub(super) fn exec(&self, command: &[&str]) -> anyhow::Result<String> {
        let pod = ["exec", "--namespace", RELEASE, self.agent.name.as_str(), "--"];
        self.cluster.kubectl(&[&pod[..], command].concat())
    }

    /// Finds the pod of the agent: the only one, ready.
    pub(super) fn find_agent(&mut self) -> anyhow::Result<()> {
        self.agent = self.wait("one pod of the agent is ready", |cluster| {
            let pods = cluster.get(&["pods", "--namespace", RELEASE]).ok()?;
            let pods = pods["items"].as_array()?;
            let status = &pods.first().filter(|_| pods.len() == 1)?["status"]["containerStatuses"][0];
            let id = status["containerID"].as_str()?.strip_prefix("containerd://")?;
            status["ready"].as_bool()?.then_some(AgentPod {
                name: pods[0]["metadata"]["name"].as_str()?.to_owned(),
                address: pods[0]["status"]["podIP"].as_str()?.to_owned(),
                container: id.to_owned(),
                restarts: status["restartCount"].as_u64()?,
            })
        })?;
        Ok(())
    }

    /// Gets a path of the agent's port.
    pub(super) fn http(&self, path: &str) -> anyhow::Result<String> {
        let mut curl = self.cluster.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "10"]);
        output(curl.arg(format!("http://{}:9510{path}", self.agent.address)))
    }

    /// Scrapes the agent. Sums that are not exact, and a container without a name, are errors.
    pub(super) fn scrape(&mut self) -> anyhow::Result<Exposition> {
        let scrape = Exposition::parse(&self.http("/metrics")?)?;
        let judged = judge(&scrape);
        self.faults += usize::from(judged.is_err());
        judged?;
        self.scrapes += 1;
        Ok(scrape)
    }

    /// A scrape after this many whole ticks, so that everything before them is in the figures.
    pub(super) fn after_ticks(&mut self, count: f64) -> anyhow::Result<Exposition> {
        let from = self.scrape()?.sum(TICKS, &[]).unwrap_or(0.0);
        self.until("the agent ticks", |scrape| {
            scrape.sum(TICKS, &[]).filter(|ticks| *ticks >= from + count)?;
            Some(scrape.clone())
        })
    }

    /// Scrapes repeatedly until `ask` returns an answer.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        ask: impl Fn(&Exposition) -> Option<T>,
    ) -> anyhow::Result<T> {
        let answer = eventually(what, PATIENCE, || {
            pause(ROUND);
            match self.scrape() {
                Ok(scrape) => ask(&scrape).map(Ok),
                Err(error) => Some(Err(error)),
            }
        });
        answer?
    }

    /// Names of all containers that run, as Kubernetes knows them.
    pub(super) fn running(&self) -> anyhow::Result<BTreeSet<String>> {
        let pods = self.cluster.get(&["pods", "--all-namespaces"])?;
        let mut names = BTreeSet::new();
        for pod in pods["items"].as_array().context("a list of pods has items")? {
            for container in pod["status"]["containerStatuses"].as_array().into_iter().flatten() {
                if container["state"]["running"].is_object() {
                    let [namespace, name] = ["namespace", "name"].map(|field| text(&pod["metadata"][field]));
                    names.insert(format!("{namespace}/{name}/{}", text(&container["name"])));
                }
            }
        }
        Ok(names)
    }

    /// Waits until the agent shows a row of each container that runs.
    pub(super) fn names_all(&mut self) -> anyhow::Result<BTreeSet<String>> {
        let running = self.running()?;
        ensure!(!running.is_empty(), "no container runs");
        let missing = |scrape: &Exposition| running.difference(&names(scrape)).cloned().collect::<Vec<_>>();
        let shown =
            self.until("each container has its name", |scrape| missing(scrape).is_empty().then_some(()));
        if let Err(error) = shown {
            let missing = missing(&self.scrape()?).join(", ");
            return Err(error.context(format!("without a row: {missing}")));
        }
        Ok(running)
    }

    /// Waits for a state of the objects of Kubernetes.
    pub(super) fn wait<T>(
        &self,
        what: &str,
        mut ask: impl FnMut(&Cluster) -> Option<T>,
    ) -> anyhow::Result<T> {
        eventually(what, POD_PATIENCE, || {
            pause(ROUND);
            ask(self.cluster)
        })
    }

    /// Name of the only pod whose name begins with this prefix, in a phase.
    pub(super) fn pod(&self, namespace: &str, prefix: &str, phase: &str) -> anyhow::Result<String> {
        self.wait(&format!("a pod {namespace}/{prefix}… is {phase}"), |cluster| {
            let pods = cluster.get(&["pods", "--namespace", namespace]).ok()?;
            let mut pods = pods["items"].as_array()?.iter();
            let pod = pods.find(|pod| {
                text(&pod["metadata"]["name"]).starts_with(prefix) && pod["status"]["phase"] == phase
            });
            Some(text(&pod?["metadata"]["name"]).to_owned())
        })
    }

    /// First process of a container.
    pub(super) fn process(&self, container: &str) -> anyhow::Result<u32> {
        let text = self.cluster.ctr(&["tasks", "list"])?;
        let line = text.lines().find(|line| line.starts_with(container));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.context("the container has no process")?.parse().context("no number of a process")
    }

    /// Containers of pods that the kubelet has linked so far: id, and name.
    pub(super) fn links(&self) -> anyhow::Result<Vec<(String, String)>> {
        let links = fs::read_dir(self.cluster.folder().join("log/containers")).context("no links")?;
        let names = links.flatten().map(|link| link.file_name().to_string_lossy().into_owned());
        Ok(names.filter_map(|name| linked(&name)).collect())
    }
}

/// An error unless all sums are exact and all containers have names.
fn judge(scrape: &Exposition) -> anyhow::Result<()> {
    let residuals = scrape.residuals();
    ensure!(residuals.values().all(|left| *left == 0), "the residual is not 0: {residuals:?}");
    let nameless = scrape.all(INFO).find(|row| is_nameless(row));
    ensure!(
        nameless.is_none(),
        "a row without a name: {}",
        nameless.map(ToString::to_string).unwrap_or_default()
    );
    Ok(())
}

/// Id and name of the container of a link: `<pod>_<namespace>_<container>-<id>.log`.
fn linked(file: &str) -> Option<(String, String)> {
    let (rest, id) = file.strip_suffix(".log")?.rsplit_once('-')?;
    let [pod, namespace, container] = rest.split('_').collect::<Vec<_>>().try_into().ok()?;
    Some((id.to_owned(), format!("{namespace}/{pod}/{container}")))
}

/// A row of a container without its three names, or of a cgroup of the kubelet that is not attributed to a container.
fn is_nameless(row: &Sample) -> bool {
    let is_named = ["namespace", "pod", "container"].iter().all(|label| !row.label(label).is_empty());
    let workload = row.label("workload");
    row.label("kind") == "kubernetes" && !is_named || workload.contains("kubepods")
}

/// Names of all workloads.
pub(super) fn names(scrape: &Exposition) -> BTreeSet<String> {
    scrape.all(INFO).map(|row| row.label("workload").to_owned()).collect()
}

/// A text of JSON; empty for anything else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_names_its_container() {
        let id = "0123456789abcdef".repeat(4);
        let found = linked(&format!("live-7d9c-x2_live_side-car-{id}.log"));
        assert_eq!(found, Some((id, "live/live-7d9c-x2/side-car".to_owned())));
        assert_eq!(linked("other.log"), None);
    }

    #[test]
    fn a_row_of_a_pod_without_its_names_is_nameless() {
        let nameless = |labels: &str| {
            let scrape = Exposition::parse(&format!("{INFO}{{{labels}}} 1\n")).unwrap_or_default();
            scrape.all(INFO).any(is_nameless)
        };
        assert!(nameless(r#"workload="abc",kind="kubernetes""#));
        assert!(nameless(r#"workload="kubepods/burstable",kind="cgroup""#));
        assert!(nameless(r#"workload="a/b/c",kind="kubernetes",namespace="a",pod="b",container="""#));
        assert!(!nameless(r#"workload="a/b/c",kind="kubernetes",namespace="a",pod="b",container="c""#));
        assert!(!nameless(r#"workload="idle",kind="pseudo""#));
    }
}
