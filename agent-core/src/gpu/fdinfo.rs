//! Parses `/proc/<pid>/fdinfo/<fd>` of a DRM device: the driver, the client, and the use of each engine.
//!
//! The format is <https://docs.kernel.org/gpu/drm-usage-stats.html>. Total, and bounded by [`MOST_ENGINES`]; lines that do not follow the
//! format are left out.

use crate::gpu::engine::EngineClass;

/// Most engines of a client. The largest GPUs have some ten.
pub const MOST_ENGINES: usize = 32;

/// Longest name of an engine, a driver or a device.
const LONGEST: usize = 64;

/// One client of a DRM device. Several file descriptions and processes may show the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId<'t> {
    /// Address of the device on the PCI bus (`drm-pdev`); empty for one that is not on it.
    pub device: &'t str,
    /// Number of the client, unique within the device (`drm-client-id`).
    pub number: u64,
}

/// Use of an engine since the client began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Busy nanoseconds (`drm-engine-*`).
    Nanoseconds(u64),
    /// Busy cycles of the client, and all cycles of the engine (`drm-cycles-*`, `drm-total-cycles-*`).
    Cycles {
        /// Busy cycles of the client.
        busy: u64,
        /// Cycles of the engine since some moment.
        total: u64,
    },
}

/// One engine of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine<'t> {
    /// The driver's name for it.
    pub name: &'t str,
    /// Its use.
    pub usage: Usage,
    /// Number of alike engines that `usage` sums up (`drm-engine-capacity-*`); 1 where it is not shown.
    pub capacity: u32,
}

impl Engine<'_> {
    /// Its class.
    pub fn class(&self) -> EngineClass {
        EngineClass::of(self.name)
    }
}

/// What an `fdinfo` shows. Its names are those of the text: it is read at each tick, and nearly always shows known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrmClient<'t> {
    /// Name of the driver.
    pub driver: &'t str,
    /// The client.
    pub id: ClientId<'t>,
    /// Its engines, by name.
    pub engines: Vec<Engine<'t>>,
}

/// Figures of an engine, as lines show them.
#[derive(Debug, Default)]
struct Lines {
    nanoseconds: Option<u64>,
    busy: Option<u64>,
    total: Option<u64>,
    capacity: Option<u32>,
}

type SetFigure = fn(&mut Lines, Option<u64>);

/// Beginnings of the keys of engines, each with what its number is. `engine-capacity-` comes before `engine-`, with which it begins.
const FIGURES: [(&str, SetFigure); 4] = [
    ("engine-capacity-", |lines, number| lines.capacity = number.and_then(|number| number.try_into().ok())),
    ("engine-", |lines, number| lines.nanoseconds = number),
    ("total-cycles-", |lines, number| lines.total = number),
    ("cycles-", |lines, number| lines.busy = number),
];

/// `None` for a file that is no DRM device, and for a driver that shows no client.
pub fn parse(text: &str) -> Option<DrmClient<'_>> {
    let (mut driver, mut device, mut number) = (None, "", None);
    let mut engines: Vec<(&str, Lines)> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.strip_prefix("drm-").and_then(|line| line.split_once(':')) else {
            continue;
        };
        let value = value.trim();
        let plain = || (!value.is_empty() && value.len() <= LONGEST).then_some(value);
        match key {
            "driver" => driver = plain(),
            "pdev" => device = plain().unwrap_or_default(),
            "client-id" => number = value.parse().ok(),
            _ => {
                let found = FIGURES.iter().find_map(|(prefix, set)| Some((key.strip_prefix(prefix)?, set)));
                if let Some((name, set)) = found
                    && let Some(lines) = lines_of(&mut engines, name)
                {
                    set(lines, value.split_whitespace().next().and_then(|number| number.parse().ok()));
                }
            }
        }
    }
    let engines = engines.into_iter().filter_map(|(name, lines)| {
        let usage = match lines {
            Lines { nanoseconds: Some(time), .. } => Usage::Nanoseconds(time),
            Lines { busy: Some(busy), total: Some(total), .. } => Usage::Cycles { busy, total },
            _ => return None,
        };
        Some(Engine { name, usage, capacity: lines.capacity.unwrap_or(1).max(1) })
    });
    let mut engines: Vec<Engine<'_>> = engines.collect();
    engines.sort_unstable_by_key(|engine| engine.name);
    Some(DrmClient { driver: driver?, id: ClientId { device, number: number? }, engines })
}

/// The lines of an engine; `None` beyond the limits.
fn lines_of<'a, 't>(engines: &'a mut Vec<(&'t str, Lines)>, name: &'t str) -> Option<&'a mut Lines> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let index = match engines.iter().position(|(known, _)| *known == name) {
        Some(index) => index,
        None if engines.len() < MOST_ENGINES => {
            engines.push((name, Lines::default()));
            engines.len() - 1
        }
        None => return None,
    };
    engines.get_mut(index).map(|(_, lines)| lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(name: &str, usage: Usage, capacity: u32) -> Engine<'_> {
        Engine { name, usage, capacity }
    }

    #[test]
    fn a_client_of_i915() {
        let text = "pos:\t0\nflags:\t0100002\nmnt_id:\t26\nino:\t565\ndrm-driver:\ti915\ndrm-client-id:\t7\n\
                    drm-pdev:\t0000:00:02.0\ndrm-total-system0:\t4 KiB\ndrm-engine-render:\t9288864723 ns\n\
                    drm-engine-copy:\t0 ns\ndrm-engine-video:\t12 ns\ndrm-engine-capacity-video:\t2\n";
        let client = parse(text).unwrap();
        assert_eq!(client.driver, "i915");
        assert_eq!(client.id, ClientId { device: "0000:00:02.0", number: 7 });
        assert_eq!(
            client.engines,
            [
                engine("copy", Usage::Nanoseconds(0), 1),
                engine("render", Usage::Nanoseconds(9_288_864_723), 1),
                engine("video", Usage::Nanoseconds(12), 2),
            ]
        );
        assert_eq!(client.engines[2].class(), EngineClass::Video);
    }

    #[test]
    fn a_client_of_xe_counts_cycles() {
        let text = "drm-driver: xe\ndrm-client-id: 3\ndrm-pdev: 0000:00:02.0\ndrm-cycles-vcs: 28257900\n\
                    drm-total-cycles-vcs: 7655183225\ndrm-cycles-rcs: 1\ndrm-engine-capacity-rcs: 0\n";
        let usage = Usage::Cycles { busy: 28_257_900, total: 7_655_183_225 };
        assert_eq!(
            parse(text).unwrap().engines,
            [engine("vcs", usage, 1)],
            "cycles without a total tell nothing"
        );
    }

    #[test]
    fn other_files_and_odd_lines() {
        assert_eq!(parse("pos:\t0\nflags:\t0100002\n"), None);
        assert_eq!(parse("drm-driver:\tvgem\n"), None, "no client");
        assert_eq!(parse("drm-client-id:\t1\n"), None, "no driver");
        assert_eq!(parse("drm-driver: i915\ndrm-client-id: x\n"), None, "no number of a client");
        let odd = "drm-driver: amdgpu\ndrm-client-id: 1\ndrm-engine-: 1 ns\ndrm-engine-dec: x\ndrm-engine-gfx: -1 ns\n\
                   drm-engine-enc:  5 ns\ndrm-engine-capacity-enc: 99999999999999\ndrm\n";
        assert_eq!(parse(odd).unwrap().engines, [engine("enc", Usage::Nanoseconds(5), 1)]);
        let many: Vec<String> = (0..1000).map(|number| format!("drm-engine-e{number}: 1 ns")).collect();
        let text = format!("drm-driver: x\ndrm-client-id: 1\n{}", many.join("\n"));
        let client = parse(&text).unwrap();
        assert_eq!(client.engines.len(), MOST_ENGINES);
    }
}
