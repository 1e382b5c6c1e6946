//! Tests of the Helm chart and the plain manifests: helm renders them, and the schemas of three versions of Kubernetes accept them. The
//! rights of the rendered pod are those that docs/KUBERNETES.md lists.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::agent::binary;
use tests::command::{find, output};

/// Values that turn on everything that a release can have.
const EVERYTHING: [&str; 12] = [
    "namespace.create=true",
    "podMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "dashboards.enabled=true",
    "web.secret=ffwatt-web",
    "web.scheme=HTTPS",
    "hostPort=true",
    "exporterPorts.rapl=9500",
    "exporterPorts.cost=9504",
    "state.kind=memory",
    "seLinuxOptions.type=spc_t",
    r"config.attribution\.max_workloads=1048576",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn chart() -> PathBuf {
    repository().join("packaging/helm/ffwatt")
}

/// helm, which `cargo xtask test` installs.
fn helm() -> Command {
    let ours = repository().join("target/tools/bin/helm");
    let program = if ours.is_file() { Some(ours) } else { find("helm") };
    let mut helm = Command::new(program.expect("there is no helm: run the tests by `cargo xtask test`"));
    helm.current_dir(repository());
    helm
}

fn python() -> Command {
    Command::new(std::env::var_os("FFWATT_PYTHON").expect("FFWATT_PYTHON names a Python"))
}

/// What helm renders with these values.
fn rendered(values: &[&str]) -> anyhow::Result<String> {
    let mut helm = helm();
    helm.args(["template", "ffwatt", "--namespace", "ffwatt"]).arg(chart());
    helm.args(values.iter().flat_map(|value| ["--set", value]));
    output(&mut helm)
}

/// The objects of a text in YAML.
fn objects(yaml: &str) -> Vec<Value> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), yaml).unwrap();
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let text = output(python().args(["-c", script]).arg(file.path())).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

/// The pod and its only container.
fn pod(objects: &[Value]) -> (&Value, &Value) {
    let pod = &of_kind(objects, "DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(pod["containers"].as_array().unwrap().len(), 1);
    (pod, &pod["containers"][0])
}

fn plain(name: &str) -> String {
    fs::read_to_string(repository().join("packaging/kubernetes").join(name)).unwrap()
}

#[test]
fn helm_finds_no_fault() {
    output(helm().args(["lint", "--strict", "--quiet"]).arg(chart())).unwrap();
}

/// The head of each file has the command that renders it.
#[test]
fn the_plain_manifests_are_what_the_chart_renders() {
    for name in ["ffwatt.yaml", "prometheus-operator.yaml"] {
        let text = plain(name);
        let head = text.lines().map_while(|line| line.strip_prefix('#'));
        let words = head.flat_map(str::split_whitespace).skip_while(|word| *word != "helm").skip(1);
        let now = output(helm().args(words)).unwrap();
        assert_eq!(objects(&text), objects(&now), "{name}: run `cargo xtask chart`");
    }
}

#[test]
fn three_versions_of_kubernetes_accept_every_object() {
    for (name, values) in [("default", &[][..]), ("everything", &EVERYTHING[..])] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("objects.json");
        // The schemas of the operator's own kinds are not a part of Kubernetes.
        let own = |object: &Value| object["apiVersion"] != "monitoring.coreos.com/v1";
        let objects: Vec<Value> = objects(&rendered(values).unwrap()).into_iter().filter(own).collect();
        assert!(objects.len() >= 4, "{name}: {}", objects.len());
        let texts: Vec<String> = objects.iter().map(|object| format!("---\n{object}\n")).collect();
        fs::write(&file, texts.concat()).unwrap();
        for version in ["1.28", "1.34", "1.37"] {
            let mut validate = python();
            validate.args(["-m", "kubernetes_validate", "--strict", "-k", version]).arg(&file);
            output(&mut validate).unwrap_or_else(|error| panic!("{name}, {version}: {error:#}"));
        }
        let wrong = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "a"}], "hostPid": true}});
        fs::write(&file, wrong.to_string()).unwrap();
        let mut validate = python();
        assert!(
            output(validate.args(["-m", "kubernetes_validate", "--strict", "-k", "1.34"]).arg(&file))
                .is_err(),
            "the validator accepts everything"
        );
    }
}

#[test]
fn the_pod_has_three_capabilities_no_token_and_no_socket() {
    for text in [rendered(&[]).unwrap(), rendered(&EVERYTHING).unwrap(), plain("ffwatt.yaml")] {
        let objects = objects(&text);
        let (pod, container) = pod(&objects);
        assert_eq!(
            container["securityContext"]["capabilities"],
            json!({"drop": ["ALL"], "add": ["BPF", "PERFMON", "DAC_READ_SEARCH"]})
        );
        let context = &container["securityContext"];
        for (name, value) in [
            ("privileged", json!(false)),
            ("allowPrivilegeEscalation", json!(false)),
            ("readOnlyRootFilesystem", json!(true)),
            ("seccompProfile", json!({"type": "RuntimeDefault"})),
        ] {
            assert_eq!(context[name], value, "{name}");
        }
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(of_kind(&objects, "ServiceAccount")["automountServiceAccountToken"], false);
        assert_eq!(pod["hostNetwork"], false);
        assert_eq!(pod["hostPID"], true);
        assert_eq!(pod["hostIPC"], Value::Null);
        let kinds: BTreeSet<&str> = objects.iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert!(!kinds.iter().any(|kind| kind.contains("Role")), "{kinds:?}");
    }
}

/// With Helm 4 the server merges objects. Kubernetes 1.20 refuses to merge a port of a Service without a protocol, a part of its key.
#[test]
fn every_port_has_its_protocol() {
    let objects = objects(&rendered(&EVERYTHING).unwrap());
    let (_, container) = pod(&objects);
    let service = &of_kind(&objects, "Service")["spec"]["ports"];
    for ports in [&container["ports"], service] {
        let ports = ports.as_array().unwrap();
        assert_eq!(ports.len(), 3);
        assert!(ports.iter().all(|port| port["protocol"] == "TCP"), "{ports:?}");
    }
}

/// Folders of the host: all are read-only but the state.
#[test]
fn the_pod_mounts_four_folders_of_the_node_and_writes_to_one() {
    let objects = objects(&rendered(&[]).unwrap());
    let (pod, container) = pod(&objects);
    let mounts = container["volumeMounts"].as_array().unwrap();
    let mut folders = BTreeMap::new();
    for volume in pod["volumes"].as_array().unwrap() {
        let mount = mounts.iter().find(|mount| mount["name"] == volume["name"]).unwrap();
        if let Some(path) = volume["hostPath"]["path"].as_str() {
            folders.insert(path, mount["readOnly"] == true);
        }
    }
    assert_eq!(
        folders,
        [("/sys", true), ("/var/lib/ffwatt", false), ("/var/log/containers", true), ("/var/log/pods", true)]
            .into()
    );
}

#[test]
fn a_value_that_does_not_exist_is_refused() {
    for (value, message) in [
        ("hostPID=false", "hostPID"),
        ("port=0", "/port"),
        ("state.kind=disk", "/state/kind"),
        (r"config.price\.per_kw=1", "price.per_kw"),
        (r"config.listen\.port=1", "listen.port"),
        ("image.digest=sha256:1", "/image/digest"),
        ("podMonitor.interval=often", "/podMonitor/interval"),
    ] {
        let error = format!("{:#}", rendered(&[value]).unwrap_err());
        assert!(error.contains(message), "{value}: {error}");
    }
    let both = ["podMonitor.enabled=true", "serviceMonitor.enabled=true"];
    assert!(format!("{:#}", rendered(&both).unwrap_err()).contains("enable one of them"));
}

/// The real agent reads the variables of the rendered container, and warns of none.
#[test]
fn the_agent_knows_every_variable_of_the_container() {
    let values = [
        r"config.attribution\.max_workloads=1048576",
        r"config.price\.per_kwh=0.32",
        r"config.price\.region=DE",
        "exporterPorts.rapl=9500",
        "port=9999",
    ];
    let objects = objects(&rendered(&values).unwrap());
    let (_, container) = pod(&objects);
    let mut command = Command::new(binary().unwrap());
    command.arg("config").env_clear();
    for variable in container["env"].as_array().unwrap() {
        command.env(variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
    }
    let answer = command.output().unwrap();
    let warnings = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success() && warnings.is_empty(), "{warnings}");
    let text = String::from_utf8_lossy(&answer.stdout);
    for line in [
        "max_workloads = 1048576",
        "per_kwh = 0.32",
        "region = \"DE\"",
        "rapl_port = 9500",
        "docker_port = 0",
        "port = 9999",
        "sysfs = \"/host/sys\"",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
    }
}

#[test]
fn prometheus_accepts_the_rules_of_the_operator() {
    let objects = objects(&plain("prometheus-operator.yaml"));
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    // JSON is YAML.
    fs::write(file.path(), of_kind(&objects, "PrometheusRule")["spec"].to_string()).unwrap();
    output(Command::new(find("promtool").unwrap()).args(["check", "rules"]).arg(file.path())).unwrap();
}

/// A monitor keeps the labels of a workload, and gives those of the agent's own pod to no series.
#[test]
fn a_monitor_keeps_the_names_of_the_workloads() {
    for (kind, field, value) in [
        ("PodMonitor", "podMetricsEndpoints", "podMonitor.enabled=true"),
        ("ServiceMonitor", "endpoints", "serviceMonitor.enabled=true"),
    ] {
        let objects = objects(&rendered(&[value, "exporterPorts.rapl=9500"]).unwrap());
        let endpoints = of_kind(&objects, kind)["spec"][field].as_array().unwrap();
        let ports: Vec<&str> = endpoints.iter().map(|endpoint| endpoint["port"].as_str().unwrap()).collect();
        assert_eq!(ports, ["metrics", "rapl"]);
        for (endpoint, job) in endpoints.iter().zip(["ffwatt", "rapl-power"]) {
            assert_eq!(endpoint["honorLabels"], true);
            let rules = endpoint["relabelings"].as_array().unwrap();
            let sets = |label: &str| rules.iter().find(|rule| rule["targetLabel"] == label).unwrap();
            assert_eq!(sets("job")["replacement"], job);
            assert_eq!(sets("instance")["sourceLabels"], json!(["__meta_kubernetes_pod_node_name"]));
            let dropped = rules.iter().find(|rule| rule["action"] == "labeldrop").unwrap();
            let dropped: BTreeSet<&str> = dropped["regex"].as_str().unwrap().split('|').collect();
            let names = BTreeSet::from(["namespace", "pod", "container"]);
            assert!(dropped.is_superset(&names), "{dropped:?}");
        }
    }
}
