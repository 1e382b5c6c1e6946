//! Detects inputs of ffmpeg that arrive in real time: devices and protocols of live streams.

/// Demuxers of devices and of live streams.
const FORMATS: [&str; 27] = [
    "alsa",
    "android_camera",
    "avfoundation",
    "bktr",
    "decklink",
    "dshow",
    "fbdev",
    "gdigrab",
    "iec61883",
    "jack",
    "kmsgrab",
    "libcdio",
    "libdc1394",
    "libndi_newtek",
    "openal",
    "oss",
    "pulse",
    "rtp",
    "rtsp",
    "sap",
    "sdp",
    "sndio",
    "v4l2",
    "vfwcap",
    "video4linux2",
    "x11grab",
    "xcbgrab",
];

/// Protocols of live streams. HTTP is left out, because it mostly carries files.
const PROTOCOLS: [&str; 22] = [
    "librist", "libsrt", "mms", "mmsh", "mmst", "rist", "rtmp", "rtmpe", "rtmps", "rtmpt", "rtmpte",
    "rtmpts", "rtp", "rtsp", "rtspu", "rtsps", "sctp", "srt", "srtp", "udp", "udplite", "whep",
];

/// Protocols around another one: `async:rtmp://…`.
const WRAPPERS: [&str; 3] = ["async", "cache", "crypto"];

/// Whether the name of the demuxer (`-f`), or the protocol of the address, is one of a live input.
pub(super) fn is_live(format: Option<&str>, url: &str) -> bool {
    format.is_some_and(|format| format.split(',').any(|name| FORMATS.contains(&name)))
        || has_live_protocol(url)
}

fn has_live_protocol(url: &str) -> bool {
    let mut words = url.split(':').map(str::to_ascii_lowercase);
    let protocol = words.find(|word| !WRAPPERS.contains(&word.as_str()));
    // The last word is a file name: `./udp`.
    protocol.is_some_and(|protocol| PROTOCOLS.contains(&protocol.as_str())) && url.contains(':')
}
