//! Parses the names that the kubelet gives to log folders and links: namespace, pod, uid, container and container id.
//!
//! * `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log`: `BuildPodLogsDirectory()`, `pkg/kubelet/kuberuntime/helpers.go`;
//! * `/var/log/containers/<pod>_<namespace>_<container>-<id>.log`, a link to the former: `logSymlink()`, `legacy.go` in the same folder.
//!
//! No name in Kubernetes contains `_`. Total, and bounded by the length of a file's name.

use crate::identity::kubernetes::{ContainerName, ID_DIGITS, PodName, is_hex};

/// Longest name of a file.
const LONGEST: usize = 255;

/// The end of a link's name.
const SUFFIX: &str = ".log";

/// The pod of a folder in `/var/log/pods`.
pub fn pod_folder(name: &str) -> Option<PodName> {
    if name.len() > LONGEST {
        return None;
    }
    let (namespace, rest) = name.split_once('_')?;
    let (pod, uid) = rest.split_once('_')?;
    PodName::new(uid, namespace, pod)
}

/// The log file of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile<'a> {
    /// The pod of the container.
    pub pod: PodName,
    /// Name of the container.
    pub container: &'a str,
    /// Number of restarts of the container before it.
    pub restarts: u32,
}

impl<'a> LogFile<'a> {
    /// The log file at this path. The folder of the pods may be any. `None` for a rotated file.
    pub fn at(path: &'a str) -> Option<Self> {
        let mut parts = path.rsplit('/');
        let restarts = restarts(parts.next()?)?;
        let container = parts.next()?;
        Some(Self { pod: pod_folder(parts.next()?)?, container, restarts })
    }

    /// Its container, with an empty id: no part of a log file's path has it.
    pub fn container_name(&self) -> Option<ContainerName> {
        let PodName { uid, namespace, pod } = &self.pod;
        ContainerName::new("", Some(uid), namespace, pod, self.container)
    }
}

/// Number of restarts before a log file was begun, by the file's name.
pub fn restarts(name: &str) -> Option<u32> {
    let number = name.strip_suffix(SUFFIX)?;
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The container of a link in `/var/log/containers`, by the link's name and its target, which must agree. Without a target, because the
/// link was removed before it was read, the pod's uid is not known.
///
/// The kubelet cuts a name of more than 255 characters. A part of the id is lost then, or all of it.
pub fn container_link(name: &str, target: Option<&str>) -> Option<ContainerName> {
    let stem = name.strip_suffix(SUFFIX).filter(|_| name.len() <= LONGEST)?;
    let Some(target) = target else {
        let (pod, namespace, container, id) = whole(stem)?;
        return ContainerName::new(id, None, namespace, pod, container);
    };
    let LogFile { pod, container, .. } = LogFile::at(target)?;
    let before = format!("{}_{}_{container}-", pod.pod, pod.namespace);
    let is_cut = stem.len() == LONGEST - SUFFIX.len();
    let id = match stem.strip_prefix(before.as_str()) {
        Some(id) if id.len() == ID_DIGITS || is_cut => id,
        None if is_cut && before.starts_with(stem) => "",
        _ => return None,
    };
    ContainerName::new(id, Some(&pod.uid), &pod.namespace, &pod.pod, container)
}

/// Pod, namespace, container and id of a whole name.
fn whole(stem: &str) -> Option<(&str, &str, &str, &str)> {
    let (pod, rest) = stem.split_once('_')?;
    let (namespace, rest) = rest.split_once('_')?;
    let (container, id) = rest.rsplit_once('-')?;
    Some((pod, namespace, container, id)).filter(|_| id.len() == ID_DIGITS && id.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "90d81341-92de-11e7-8cf2-507b9d4141fa";
    const STATIC: &str = "1ce0ff4c2bf20d0b3a8ea8b5d8d29b2e";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn pod(name: &str) -> Option<String> {
        pod_folder(name).map(|pod| format!("{} {} {}", pod.namespace, pod.pod, pod.uid))
    }

    fn link(name: &str, target: Option<&str>) -> Option<String> {
        container_link(name, target)
            .map(|found| format!("{} {} {}", found.names, found.uid.as_deref().unwrap_or("-"), found.id))
    }

    #[test]
    fn folders_of_pods() {
        for (name, expected) in [
            (format!("default_web-0_{UID}"), Some(format!("default web-0 {UID}"))),
            (
                format!("kube-system_etcd-node.a.example_{STATIC}"),
                Some(format!("kube-system etcd-node.a.example {STATIC}")),
            ),
            (format!("a_b_{STATIC}"), Some(format!("a b {STATIC}"))),
            // Older than Kubernetes 1.14
            (UID.to_owned(), None),
            (format!("default_{UID}"), None),
            (format!("default_web_0_{UID}"), None),
            (format!("_web_{UID}"), None),
            (format!("default__{UID}"), None),
            ("default_web_".to_owned(), None),
            (format!("default_web_{UID}/x"), None),
            (format!("default_web_{UID}.tmp"), None),
            (format!("default_we\nb_{UID}"), None),
            (format!("a_{}_{UID}", "b".repeat(300)), None),
            (String::new(), None),
        ] {
            assert_eq!(pod(&name), expected, "{name}");
        }
    }

    #[test]
    fn log_files() {
        let read = |name: &str, file: &str| {
            let path = format!("/var/log/pods/{name}/app/{file}");
            LogFile::at(&path).map(|log| (log.container_name().unwrap().names.to_string(), log.restarts))
        };
        let web = format!("default_web_{UID}");
        assert_eq!(read(&web, "0.log"), Some(("default/web/app".to_owned(), 0)));
        assert_eq!(read(&web, "12.log"), Some(("default/web/app".to_owned(), 12)));
        for file in ["0.log.20261128-101112", "0.log.gz", "+1.log", ".log", "x.log", "99999999999.log", ""] {
            assert_eq!(read(&web, file), None, "{file}");
        }
        assert_eq!(read("default_web", "0.log"), None);
        let other = format!("/var/log/pods/{web}/App/0.log");
        assert_eq!(LogFile::at(&other).and_then(|log| log.container_name()), None, "no name in Kubernetes");
    }

    #[test]
    fn links_of_containers() {
        let target = |folder: &str, container: &str| format!("/var/log/pods/{folder}/{container}/0.log");
        let (web, etcd) = (format!("default_web-0_{UID}"), format!("kube-system_etcd-a.example_{STATIC}"));
        for (name, target, expected) in [
            (
                format!("web-0_default_app-{ID}.log"),
                Some(target(&web, "app")),
                Some(format!("default/web-0/app {UID} {ID}")),
            ),
            (
                format!("web-0_default_a-b-c-{ID}.log"),
                Some(target(&web, "a-b-c")),
                Some(format!("default/web-0/a-b-c {UID} {ID}")),
            ),
            (
                format!("etcd-a.example_kube-system_etcd-{ID}.log"),
                Some(target(&etcd, "etcd")),
                Some(format!("kube-system/etcd-a.example/etcd {STATIC} {ID}")),
            ),
            // Another folder of logs
            (
                format!("web-0_default_app-{ID}.log"),
                Some(format!("/data/{web}/app/12.log")),
                Some(format!("default/web-0/app {UID} {ID}")),
            ),
            // Removed before it was read
            (format!("web-0_default_app-{ID}.log"), None, Some(format!("default/web-0/app - {ID}"))),
            // The target contradicts
            (format!("web-0_default_app-{ID}.log"), Some(target(&web, "other")), None),
            (format!("web-1_default_app-{ID}.log"), Some(target(&web, "app")), None),
            (format!("web-0_other_app-{ID}.log"), Some(target(&web, "app")), None),
            // No target of a kubelet
            (format!("web-0_default_app-{ID}.log"), Some("/etc/passwd".to_owned()), None),
            (format!("web-0_default_app-{ID}.log"), Some(format!("/var/log/pods/{web}/app/x.log")), None),
            (format!("web-0_default_app-{ID}.log"), Some(format!("/var/log/pods/{web}/app/.log")), None),
            (format!("web-0_default_app-{ID}.log"), Some(format!("/var/log/pods/{UID}/app_0.log")), None),
            (format!("web-0_default_app-{ID}.log"), Some(String::new()), None),
            // No name of a kubelet
            (format!("web-0_default_app-{ID}"), Some(target(&web, "app")), None),
            (format!("web-0_default_app-{}.log", &ID[1..]), Some(target(&web, "app")), None),
            (format!("web-0_default_app-{}.log", &ID[1..]), None, None),
            (format!("web-0_default_POD-{ID}.log"), None, Some(format!("default/web-0/POD - {ID}"))),
            (format!("web-0_default-{ID}.log"), None, None),
            (format!("web-0_default_-{ID}.log"), None, None),
            (".log".to_owned(), None, None),
            (String::new(), None, None),
        ] {
            assert_eq!(link(&name, target.as_deref()), expected, "{name} {target:?}");
        }
    }

    /// As the kubelet does: the name without its end is cut to 251 characters.
    #[test]
    fn names_that_the_kubelet_has_cut() {
        let made = |pod: &str, namespace: &str, container: &str| {
            let mut stem = format!("{pod}_{namespace}_{container}-{ID}");
            stem.truncate(LONGEST - SUFFIX.len());
            let target = format!("/var/log/pods/{namespace}_{pod}_{UID}/{container}/3.log");
            (format!("{stem}.log"), target)
        };
        let namespace = "n".repeat(50);
        for (pod, digits) in [(100, 64), (120, 58), (125, 53), (130, 38), (150, 31)] {
            let container = "c".repeat(251 - pod - 50 - 3 - digits);
            let container = if digits == 64 { "app".to_owned() } else { container };
            let (name, target) = made(&"p".repeat(pod), &namespace, &container);
            let found = container_link(&name, Some(&target)).unwrap();
            assert_eq!((found.id.as_str(), &*found.names.container), (&ID[..digits], &*container));
            assert_eq!(found.has_whole_id(), digits == 64);
            assert_eq!(container_link(&name, None).is_some(), digits == 64);
        }
        // Nothing is left of the id, nor of the container's name.
        for (pod, container) in [(160, "c".repeat(38)), (160, "c".repeat(60)), (167, "c".repeat(63))] {
            let (name, target) = made(&"p".repeat(pod), &namespace, &container);
            let found = container_link(&name, Some(&target)).unwrap();
            assert_eq!((found.id.as_str(), &*found.names.container), ("", &*container));
        }
        // Only a name of that length is cut.
        let target = format!("/var/log/pods/default_web_{UID}/app/0.log");
        assert_eq!(container_link("web_default_ap.log", Some(&target)), None);
        assert_eq!(container_link("web_default_app-0123.log", Some(&target)), None);
    }
}
