//! Detects inputs of ffmpeg that arrive in real time: devices and protocols of live streams.

/// Demuxers of devices: they deliver in real time.
const DEVICES: [&str; 12] = [
    "alsa",
    "avfoundation",
    "decklink",
    "fbdev",
    "gdigrab",
    "jack",
    "kmsgrab",
    "libndi_newtek",
    "pulse",
    "v4l2",
    "video4linux2",
    "x11grab",
];

/// Protocols of live streams. HTTP is left out, because it mostly carries files.
const PROTOCOLS: [&str; 11] =
    ["mmst", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtp", "rtsp", "srt", "srtp", "udp"];

/// Whether the name of the demuxer (`-f`), or the protocol of the address, is one of a live input.
pub(super) fn is_live(format: Option<&str>, url: &str) -> bool {
    let protocol = url.split_once("://").map(|(protocol, _)| protocol);
    format.is_some_and(|format| DEVICES.contains(&format))
        || protocol.is_some_and(|protocol| PROTOCOLS.contains(&protocol.to_ascii_lowercase().as_str()))
}
