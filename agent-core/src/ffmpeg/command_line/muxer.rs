//! Table of ffmpeg's muxers: the encoder that ffmpeg uses for each when the command line names none.

/// The default video of a container format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    /// Video by this encoder.
    Video(&'static str),
    /// Video that is only decoded, or written as it is in memory: nothing is encoded.
    Decoded,
    /// No video.
    None,
    /// A format that is not in the table.
    Unknown,
}

/// The default by the name of the muxer (`-f`), else by the suffix of the file's name.
///
/// From the `video_codec` of libavformat's muxers, and the encoder that ffmpeg uses for each in builds that have it.
pub(super) fn default(format: Option<&str>, url: &str) -> Default {
    let name = format.or_else(|| extension(url)).unwrap_or_default().to_ascii_lowercase();
    match name.as_str() {
        "mp4" | "mov" | "m4v" | "ismv" | "f4v" | "mkv" | "matroska" | "hls" | "m3u8" | "dash" | "mpd"
        | "h264" | "264" | "smoothstreaming" => Default::Video("libx264"),
        "hevc" | "h265" | "265" => Default::Video("libx265"),
        "webm" => Default::Video("libvpx-vp9"),
        "ivf" => Default::Video("libvpx"),
        "mpegts" | "ts" | "m2ts" | "mts" | "mxf" | "vob" | "dvd" | "svcd" | "rtp_mpegts" | "mpeg2video"
        | "m2v" => Default::Video("mpeg2video"),
        "mpeg" | "mpg" | "mpeg1video" | "m1v" | "vcd" => Default::Video("mpeg1video"),
        "flv" => Default::Video("flv"),
        "avi" | "nut" | "rtp" | "rtsp" => Default::Video("mpeg4"),
        "asf" | "wmv" => Default::Video("msmpeg4"),
        "3gp" | "3g2" => Default::Video("h263"),
        "ogv" => Default::Video("libtheora"),
        "gif" => Default::Video("gif"),
        "mjpeg" | "jpg" | "jpeg" | "image2" | "image2pipe" => Default::Video("mjpeg"),
        "null" | "rawvideo" | "yuv" | "rgb" | "y4m" | "yuv4mpegpipe" | "framemd5" | "framehash"
        | "framecrc" | "md5" | "hash" | "crc" | "sdl" | "sdl2" | "xv" => Default::Decoded,
        "mp3" | "wav" | "aac" | "adts" | "m4a" | "m4b" | "ipod" | "flac" | "opus" | "oga" | "mka" | "ac3"
        | "eac3" | "wma" | "aif" | "aiff" | "amr" | "caf" | "au" | "s16le" | "s16be" | "s24le" | "s32le"
        | "f32le" | "u8" | "alsa" | "pulse" | "chromaprint" | "spdif" | "srt" | "vtt" | "webvtt" | "ass"
        | "ffmetadata" => Default::None,
        _ => Default::Unknown,
    }
}

/// Whether a file of this name can contain no video.
pub(super) fn is_audio_only(url: &str) -> bool {
    default(None, url) == Default::None
}

fn extension(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next()?;
    let name = path.rsplit('/').next()?;
    let (_, extension) = name.rsplit_once('.')?;
    Some(extension)
}
