//! Expands `-target` into the options that it stands for (`opt_target()` in ffmpeg's `fftools/ffmpeg_opt.c`).

/// Encoder, container format, sizes of PAL and of NTSC, and bitrate of a kind of disc or tape.
type Target = (&'static str, &'static str, &'static str, [&'static str; 2], Option<&'static str>);

const TARGETS: [Target; 5] = [
    ("vcd", "mpeg1video", "vcd", ["352x288", "352x240"], Some("1150000")),
    ("svcd", "mpeg2video", "svcd", ["480x576", "480x480"], Some("2040000")),
    ("dvd", "mpeg2video", "dvd", ["720x576", "720x480"], Some("6000000")),
    ("dv", "dvvideo", "dv", ["720x576", "720x480"], None),
    ("dv50", "dvvideo", "dv", ["720x576", "720x480"], None),
];

/// The options with their values. Without `pal-`, `ntsc-` or `film-`, the size depends on the frame rate of the input.
pub(super) fn options(target: &str) -> Vec<(&'static str, &'static str)> {
    let (size, kind) = match target.split_once('-') {
        Some(("pal", kind)) => (Some(0), kind),
        Some(("ntsc" | "film", kind)) => (Some(1), kind),
        _ => (None, target),
    };
    let Some((_, encoder, format, sizes, bitrate)) = TARGETS.iter().find(|(name, ..)| *name == kind) else {
        return Vec::new();
    };
    let size = size.map_or("unknown", |norm| sizes[norm]);
    let mut options = vec![("c:v", *encoder), ("f", *format), ("s", size)];
    options.extend(bitrate.map(|bitrate| ("b:v", bitrate)));
    options
}
