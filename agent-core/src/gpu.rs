//! The use of GPU engines, as DRM drivers count it for each of their clients.
//!
//! A file description of a DRM device is a client of its driver, and its `fdinfo` shows the busy time of each engine since the client began
//! (<https://docs.kernel.org/gpu/drm-usage-stats.html>). [`fdinfo`] reads one; [`clients`] turns readings into the time of each window.

pub mod clients;
pub mod engine;
pub mod fdinfo;
