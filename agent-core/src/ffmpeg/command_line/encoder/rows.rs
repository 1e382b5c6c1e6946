//! Table of encoders: standard, vendor, hardware, unit of the bitrate, options for speed and for constant quality.
//!
//! Encoders of ffmpeg's own libraries that are not here are [`NATIVE`], with the standard that ffmpeg's list gives.

/// Unit in which an encoder takes its bitrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bits per second.
    Bits,
    /// Thousands of bits per second.
    Kilobits,
    /// Either, by the hardware that the element was built for: bits where the number is too large for the other.
    Unclear,
}

/// An option that chooses an encoder's speed, besides `preset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// A number, shown as `option=number`.
    Number(&'static str),
    /// One of the words of [`PRESETS`], shown alone.
    Word(&'static str),
}

/// Encoders of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name in the command line; `*` stands for the standard.
    pub name: &'static str,
    /// Standard that the encoder writes; empty where the name has it.
    pub standard: &'static str,
    /// Maker of the library or the hardware.
    pub vendor: &'static str,
    /// Hardware that encodes, as the label says it.
    pub hardware: &'static str,
    /// Unit of a bitrate without a suffix.
    pub unit: Unit,
    /// Options of speed, the most specific first.
    pub speed: &'static [Speed],
    /// Preset that the encoder uses when none is chosen, where that is documented and has never changed.
    pub default_preset: Option<&'static str>,
    /// Options of constant quality or quantizer, with which a bitrate is no target.
    pub quality: &'static [&'static str],
}

/// Encoders of ffmpeg's own libraries.
pub const NATIVE: Row = on_cpu("(others of ffmpeg)", "", "FFmpeg").qualities(QSCALE);

const QSCALE: &[&str] = &["q", "qscale"];
const CRF: &[&str] = &["crf", "qp", "cqp"];
const FIXED: &[&str] = &["qp", "q", "qscale", "global_quality", "cq", "qp_i"];
/// Options of libvpx and libaom; `deadline` is also named `quality`.
const VPX: &[Speed] =
    &[Speed::Number("cpu-used"), Speed::Number("speed"), Speed::Word("deadline"), Speed::Word("quality")];
const GST: &[Speed] = &[
    Speed::Word("speed-preset"),
    Speed::Number("cpu-used"),
    Speed::Number("target-usage"),
    Speed::Number("preset-level"),
    Speed::Number("speed"),
    Speed::Word("deadline"),
];

/// Number of the speeds of x264 and x265: they are the first of [`PRESETS`], slowest last, in the order of their numbers.
pub const X264_SPEEDS: usize = 10;

/// Words that choose a speed, of all encoders. A preset that is neither one of these nor a small number is not shown.
pub const PRESETS: [&str; 47] = [
    // x264, x265, vvenc, kvazaar, QSV
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
    // NVENC
    "default",
    "hp",
    "hq",
    "bd",
    "ll",
    "llhq",
    "llhp",
    "lossless",
    "losslesshp",
    "p1",
    "p2",
    "p3",
    "p4",
    "p5",
    "p6",
    "p7",
    "low-latency",
    "low-latency-hq",
    "low-latency-hp",
    "lossless-hp",
    // libvpx, libaom
    "best",
    "good",
    "realtime",
    "rt",
    "allintra",
    // AMF, VCE, VideoToolbox in HandBrake
    "speed",
    "balanced",
    "quality",
    "high_quality",
    "ultra_quality",
    // libwebp
    "none",
    "picture",
    "photo",
    "drawing",
    "icon",
    "text",
    // libvvenc before 1.0
    "firstpass",
];

const fn on_cpu(name: &'static str, standard: &'static str, vendor: &'static str) -> Row {
    let (unit, speed, quality): (_, &[Speed], &[&str]) = (Unit::Bits, &[], &[]);
    Row { name, standard, vendor, hardware: "cpu", unit, speed, default_preset: None, quality }
}

const fn on(hardware: &'static str, name: &'static str, vendor: &'static str) -> Row {
    Row { hardware, quality: FIXED, ..on_cpu(name, "", vendor) }
}

/// An element of `GStreamer`.
const fn element(name: &'static str, standard: &'static str, hardware: &'static str, unit: Unit) -> Row {
    Row { hardware, unit, speed: GST, ..on_cpu(name, standard, "GStreamer") }
}

impl Row {
    const fn speeds(self, speed: &'static [Speed]) -> Self {
        Self { speed, ..self }
    }

    const fn qualities(self, quality: &'static [&'static str]) -> Self {
        Self { quality, ..self }
    }

    const fn medium(self) -> Self {
        Self { default_preset: Some("medium"), ..self }
    }
}

/// All encoders; the first row that fits a name counts.
pub const ROWS: &[Row] = &[
    on_cpu("libx264", "h264", "VideoLAN").qualities(CRF).medium(),
    on_cpu("libx264rgb", "h264", "VideoLAN").qualities(CRF).medium(),
    on_cpu("libopenh264", "h264", "Cisco").qualities(QSCALE),
    on_cpu("libx265", "hevc", "MulticoreWare").qualities(CRF).medium(),
    on_cpu("libkvazaar", "hevc", "Ultra Video Group"),
    on_cpu("libsvthevc", "hevc", "Intel").qualities(&["qp"]),
    on_cpu("libsvtvp9", "vp9", "Intel").qualities(&["qp"]),
    on_cpu("libvvenc", "vvc", "Fraunhofer HHI").qualities(&["qp"]),
    on_cpu("libsvtav1", "av1", "AOMedia").qualities(CRF),
    on_cpu("libaom-av1", "av1", "AOMedia").speeds(VPX),
    on_cpu("librav1e", "av1", "Xiph").speeds(&[Speed::Number("speed")]).qualities(&["qp"]),
    on_cpu("libvpx", "vp8", "Google").speeds(VPX),
    on_cpu("libvpx-vp9", "vp9", "Google").speeds(VPX),
    on_cpu("libxeve", "evc", "MPEG-5 EVC").qualities(CRF),
    on_cpu("libxavs", "avs", "AVS").qualities(CRF),
    on_cpu("libxavs2", "avs2", "AVS").qualities(CRF),
    on_cpu("libuavs3e", "avs3", "AVS").qualities(CRF),
    on_cpu("libtheora", "theora", "Xiph").qualities(QSCALE),
    on_cpu("libxvid", "mpeg4", "Xvid").qualities(QSCALE),
    on_cpu("libwebp", "webp", "Google").qualities(&["quality", "q", "qscale"]),
    on_cpu("libwebp_anim", "webp", "Google").qualities(&["quality", "q", "qscale"]),
    on_cpu("libjxl", "jpegxl", "JPEG XL").qualities(&["distance", "q"]),
    on_cpu("libjxl_anim", "jpegxl", "JPEG XL").qualities(&["distance", "q"]),
    on("nvenc", "*_nvenc", "NVIDIA"),
    on("nvenc", "nvenc_*", "NVIDIA"),
    Row { standard: "h264", ..on("nvenc", "nvenc", "NVIDIA") },
    on("nvmpi", "*_nvmpi", "NVIDIA Jetson"),
    on("qsv", "*_qsv", "Intel"),
    on("vaapi", "*_vaapi", "Intel, AMD").speeds(&[Speed::Number("compression_level")]),
    on("amf", "*_amf", "AMD").speeds(&[Speed::Word("quality")]),
    on("videotoolbox", "*_videotoolbox", "Apple"),
    on("v4l2m2m", "*_v4l2m2m", "Linux V4L2"),
    on("omx", "*_omx", "OpenMAX"),
    on("rkmpp", "*_rkmpp", "Rockchip"),
    on("rkmpp", "*_rkmpp_encoder", "Rockchip"),
    on("vulkan", "*_vulkan", "Khronos"),
    Row { standard: "prores", ..on("vulkan", "prores_ks_vulkan", "Khronos") },
    on("d3d12va", "*_d3d12va", "Microsoft"),
    on("mediafoundation", "*_mf", "Microsoft"),
    on("mediacodec", "*_mediacodec", "Android"),
    on("openharmony", "*_oh", "OpenHarmony"),
    on("quadra", "*_ni_quadra_enc", "NETINT"),
    on("quadra", "*_ni_quadra", "NETINT"),
    on("logan", "*_ni_logan_enc", "NETINT"),
    on("logan", "*_ni_logan", "NETINT"),
    on("logan", "*_ni_enc", "NETINT"),
    on("mpsoc_vcu", "mpsoc_vcu_*", "AMD Xilinx"),
    on("ama", "*_ama", "AMD"),
    // Elements of GStreamer.
    element("x264enc", "h264", "cpu", Unit::Kilobits),
    element("openh264enc", "h264", "cpu", Unit::Bits),
    element("x265enc", "hevc", "cpu", Unit::Kilobits),
    element("svtav1enc", "av1", "cpu", Unit::Kilobits),
    element("av1enc", "av1", "cpu", Unit::Kilobits),
    element("rav1enc", "av1", "cpu", Unit::Bits),
    element("vp8enc", "vp8", "cpu", Unit::Bits),
    element("vp9enc", "vp9", "cpu", Unit::Bits),
    element("theoraenc", "theora", "cpu", Unit::Kilobits),
    element("mpeg2enc", "mpeg2", "cpu", Unit::Kilobits),
    element("jpegenc", "mjpeg", "cpu", Unit::Bits),
    element("pngenc", "png", "cpu", Unit::Bits),
    element("nvv4l2*enc", "", "nvenc", Unit::Bits),
    element("nvcuda*enc", "", "nvenc", Unit::Kilobits),
    element("nvauto*enc", "", "nvenc", Unit::Kilobits),
    element("nvjpegenc", "mjpeg", "nvenc", Unit::Bits),
    element("nv*enc", "", "nvenc", Unit::Kilobits),
    element("qsv*enc", "", "qsv", Unit::Kilobits),
    element("msdk*enc", "", "qsv", Unit::Kilobits),
    element("mfx*enc", "", "qsv", Unit::Kilobits),
    element("vaapi*enc", "", "vaapi", Unit::Kilobits),
    element("va*enc", "", "vaapi", Unit::Kilobits),
    element("v4l2*enc", "", "v4l2m2m", Unit::Bits),
    element("mpp*enc", "", "rkmpp", Unit::Bits),
    element("omx*enc", "", "omx", Unit::Unclear),
    element("amf*enc", "", "amf", Unit::Kilobits),
    element("mf*enc", "", "mediafoundation", Unit::Kilobits),
    element("vtenc_*_hw", "", "videotoolbox", Unit::Kilobits),
    element("vtenc_*", "", "videotoolbox", Unit::Kilobits),
    element("amc*enc", "", "mediacodec", Unit::Unclear),
    element("imxvpuenc_*", "", "imx", Unit::Kilobits),
    // Encoder programs.
    on_cpu("x264", "h264", "VideoLAN").medium(),
    on_cpu("x265", "hevc", "MulticoreWare").medium(),
    on_cpu("SvtAv1EncApp", "av1", "AOMedia"),
    on_cpu("aomenc", "av1", "AOMedia"),
    on_cpu("rav1e", "av1", "Xiph"),
    on_cpu("vvencapp", "vvc", "Fraunhofer HHI"),
    // Encoders of HandBrakeCLI.
    on_cpu("x264_10bit", "h264", "VideoLAN"),
    on_cpu("x265_10bit", "hevc", "MulticoreWare"),
    on_cpu("x265_12bit", "hevc", "MulticoreWare"),
    on_cpu("svt_av1", "av1", "AOMedia"),
    on_cpu("svt_av1_10bit", "av1", "AOMedia"),
    on_cpu("VP8", "vp8", "Google"),
    on_cpu("VP9", "vp9", "Google"),
    on_cpu("VP9_10bit", "vp9", "Google"),
    on("nvenc", "nvenc_*_10bit", "NVIDIA"),
    on("qsv", "qsv_*", "Intel"),
    on("qsv", "qsv_*_10bit", "Intel"),
    on("amf", "vce_*", "AMD"),
    on("amf", "vce_*_10bit", "AMD"),
    on("videotoolbox", "vt_*", "Apple"),
    on("videotoolbox", "vt_*_10bit", "Apple"),
    on("mediafoundation", "mf_*", "Microsoft"),
];
