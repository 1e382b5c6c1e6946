//! Names of Kubernetes pods and their containers, as any source of names reports them. Checked, so that they are bounded labels.
//!
//! Sources are the kubelet's file names, Docker's labels and container runtimes. [`Directory`] takes the names in any order, before or
//! after the cgroup: [`Directory::pod_known`], [`Directory::container_in_pod`], [`Directory::pod_gone`], [`Directory::container_gone`].
//!
//! [`Directory`]: crate::identity::directory::Directory
//! [`Directory::pod_known`]: crate::identity::directory::Directory::pod_known
//! [`Directory::container_in_pod`]: crate::identity::directory::Directory::container_in_pod
//! [`Directory::pod_gone`]: crate::identity::directory::Directory::pod_gone
//! [`Directory::container_gone`]: crate::identity::directory::Directory::container_gone

use std::sync::Arc;

use crate::model::workload::KubernetesNames;

/// Longest name of a namespace or container: a DNS label of RFC 1123.
const LONGEST_LABEL: usize = 63;

/// Longest name of a pod: a DNS subdomain of RFC 1123.
const LONGEST_SUBDOMAIN: usize = 253;

/// Hex digits of a container id.
pub(crate) const ID_DIGITS: usize = 64;

/// The names of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodName {
    /// Uid of the pod, as in [`CgroupIdentity::pod`].
    ///
    /// [`CgroupIdentity::pod`]: crate::identity::cgroup_path::CgroupIdentity::pod
    pub uid: Arc<str>,
    /// Namespace of the pod.
    pub namespace: Arc<str>,
    /// Name of the pod.
    pub pod: Arc<str>,
}

impl PodName {
    /// `None` unless all three have the form that Kubernetes permits.
    pub fn new(uid: &str, namespace: &str, pod: &str) -> Option<Self> {
        let is_valid = is_uid(uid) && is_label(namespace) && is_subdomain(pod);
        is_valid.then(|| Self { uid: uid.into(), namespace: namespace.into(), pod: pod.into() })
    }

    /// The names of a container of this pod.
    pub fn container(&self, container: &str) -> KubernetesNames {
        let (namespace, pod) = (Arc::clone(&self.namespace), Arc::clone(&self.pod));
        KubernetesNames { namespace, pod, container: container.into() }
    }

    /// The names of the pod's own cgroup and its sandbox.
    pub fn overhead(&self) -> KubernetesNames {
        self.container(KubernetesNames::OVERHEAD)
    }

    /// Whether these are names in this pod.
    pub fn is_of(&self, names: &KubernetesNames) -> bool {
        self.namespace == names.namespace && self.pod == names.pod
    }
}

/// The names of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerName {
    /// Full id of the container; the beginning of the id where the source does not have all of it, even none.
    pub id: String,
    /// Uid of the pod. Where the source does not have it, the names must be those of the pod that the cgroup's path shows.
    pub uid: Option<Arc<str>>,
    /// Names of the container. The sandbox has [`KubernetesNames::OVERHEAD`] as its name.
    pub names: KubernetesNames,
}

impl ContainerName {
    /// `None` unless all have the form that Kubernetes permits, and unless the pod's uid is known for a part of an id.
    pub fn new(id: &str, uid: Option<&str>, namespace: &str, pod: &str, container: &str) -> Option<Self> {
        let is_id =
            id.len() <= ID_DIGITS && id.bytes().all(is_hex) && (id.len() == ID_DIGITS || uid.is_some());
        let is_container = is_label(container) || container == KubernetesNames::OVERHEAD;
        let is_pod = is_label(namespace) && is_subdomain(pod) && uid.is_none_or(is_uid);
        (is_id && is_container && is_pod).then(|| Self {
            id: id.to_owned(),
            uid: uid.map(Into::into),
            names: KubernetesNames {
                namespace: namespace.into(),
                pod: pod.into(),
                container: container.into(),
            },
        })
    }

    /// Whether the source has the whole id.
    pub fn has_whole_id(&self) -> bool {
        self.id.len() == ID_DIGITS
    }
}

/// One report of a source of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameReport {
    /// A pod exists.
    Pod(PodName),
    /// A container exists.
    Container(ContainerName),
    /// A pod does not exist any more.
    PodGone {
        /// Uid of the pod.
        uid: Arc<str>,
    },
    /// A container does not exist any more.
    ContainerGone {
        /// Full id of the container.
        id: String,
    },
    /// The answer to a question for a pod: names of the containers that have begun, and whose ids the source does not have yet.
    Begun {
        /// Uid of the pod.
        uid: Arc<str>,
        /// Names with an empty id; none where the source does not know the pod.
        containers: Vec<ContainerName>,
    },
    /// Whether the source names every container soon after its start. Then a container that stays without a name is its pod's sandbox.
    NamesAll(bool),
}

/// A UUID; of pods from a file on the node, an MD5 sum.
pub(crate) fn is_uid(text: &str) -> bool {
    let digits = text.bytes().filter(|byte| is_hex(*byte)).count();
    digits == 32 && text.len() <= 36 && text.bytes().all(|byte| is_hex(byte) || byte == b'-')
}

pub(crate) fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

fn is_label(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| is_letter_or_digit(*byte));
    let bytes = text.as_bytes();
    text.len() <= LONGEST_LABEL
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| is_letter_or_digit(*byte) || *byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    // The API server checks the length of the whole, not of each part.
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| is_letter_or_digit(byte) || byte == b'-')
    };
    text.len() <= LONGEST_SUBDOMAIN && text.split('.').all(is_part)
}

fn is_letter_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "90d81341-92de-11e7-8cf2-507b9d4141fa";
    const STATIC: &str = "1ce0ff4c2bf20d0b3a8ea8b5d8d29b2e";

    #[test]
    fn a_pods_names_have_the_form_that_kubernetes_permits() {
        let long = "a".repeat(LONGEST_LABEL);
        let dotted = format!("{long}.{long}.{long}.{}", &long[..61]);
        for (uid, namespace, pod) in [
            (UID, "default", "web-0"),
            (STATIC, "kube-system", "etcd-node.example.org"),
            (UID, &long, &dotted),
        ] {
            let name = PodName::new(uid, namespace, pod).unwrap();
            assert_eq!((&*name.uid, &*name.namespace, &*name.pod), (uid, namespace, pod));
            assert_eq!(name.overhead().to_string(), format!("{namespace}/{pod}/POD"));
            assert!(name.is_of(&name.container("x")));
        }
        let (longer, far) = (format!("{long}a"), format!("{dotted}a"));
        for (uid, namespace, pod) in [
            ("", "default", "web"),
            ("90d81341", "default", "web"),
            (&UID.to_uppercase(), "default", "web"),
            (&format!("{UID}-"), "default", "web"),
            (UID, "", "web"),
            (UID, "Default", "web"),
            (UID, "-default", "web"),
            (UID, "de.fault", "web"),
            (UID, &longer, "web"),
            (UID, "default", ""),
            (UID, "default", "web_0"),
            (UID, "default", "web/0"),
            (UID, "default", "web..0"),
            (UID, "default", "web-.0"),
            (UID, "default", "wéb"),
            (UID, "default", &far),
        ] {
            assert_eq!(PodName::new(uid, namespace, pod), None, "{uid} {namespace} {pod}");
        }
    }

    #[test]
    fn a_part_of_an_id_needs_the_pods_uid() {
        let id = "0f".repeat(32);
        let name = |id: &str, uid, container| ContainerName::new(id, uid, "default", "web", container);
        assert!(name(&id, None, "app").unwrap().has_whole_id());
        assert!(name(&id, Some(UID), KubernetesNames::OVERHEAD).is_some());
        assert!(!name(&id[..12], Some(UID), "app").unwrap().has_whole_id());
        assert!(name("", Some(UID), "app").is_some());
        assert_eq!(name(&id[..12], None, "app"), None);
        assert_eq!(name(&format!("{id}0"), Some(UID), "app"), None);
        assert_eq!(name(&id.to_uppercase(), Some(UID), "app"), None);
        assert_eq!(name(&id, Some("uid"), "app"), None);
        for container in ["", "App", "pod/x", "a_b", "a.b"] {
            assert_eq!(name(&id, Some(UID), container), None, "{container}");
        }
    }
}
