//! The harness of the black-box tests and of the demo: the real binary, real cgroups, a real Docker engine, real ffmpeg.
//!
//! Fixture trees ([`host`]) replace only missing hardware. Everything that is started is owned by a value that ends
//! it when dropped.

#![forbid(unsafe_code)]

pub mod agent;
pub mod browser;
pub mod cgroup;
pub mod cgroup_v1;
pub mod clips;
pub mod command;
pub mod containerd;
pub mod counting;
pub mod cri;
pub mod disk;
pub mod engine;
pub mod exposition;
pub mod ffmpeg;
pub mod host;
pub mod http;
pub mod image;
pub mod length;
pub mod motion;
pub mod namespace;
pub mod nobody;
pub mod oci;
pub mod pod_cgroup;
pub mod podman;
pub mod port;
pub mod prometheus;
pub mod rapl;
pub mod referee;
pub mod registers;
pub mod scraped;
pub mod simulator;
pub mod stage;
pub mod variables;
