//! Types that all stages share. Values only: nothing here does IO or depends on a stage.

pub mod account;
pub mod cpu;
pub mod energy;
pub mod finding;
pub mod group;
pub mod health;
pub mod joined;
pub mod key;
pub mod prices;
pub mod progress;
pub mod reservation;
pub mod scenario;
pub mod snapshot;
pub mod transcode;
pub mod vmaf_model;
pub mod workload;
pub mod written;
