//! Detects inputs of ffmpeg that arrive in real time: devices and protocols of live streams.

/// Demuxers of devices: they deliver as time goes by.
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

/// Protocols of live streams. HTTP is left out: most of what it carries are files.
const PROTOCOLS: [&str; 11] =
    ["mmst", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtp", "rtsp", "srt", "srtp", "udp"];

/// By the name of the demuxer (`-f`), or by the protocol of the address.
pub(super) fn is_live(format: Option<&str>, url: &str) -> bool {
    let protocol = url.split_once("://").map(|(protocol, _)| protocol);
    format.is_some_and(|format| DEVICES.contains(&format))
        || protocol.is_some_and(|protocol| PROTOCOLS.contains(&protocol.to_ascii_lowercase().as_str()))
}
