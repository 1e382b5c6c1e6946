//! Table of the filters that keep the size of their first input.
//!
//! The table has the video filters of `ffmpeg -filters` that kept the size of their input when ffmpeg 5.1 ran them, and the filters
//! that do the same in hardware. A filter that is in no table makes the size unknown.

/// What is known of a filter's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Size, shape of the pixels and pixel format.
    All,
    /// Size and shape of the pixels; the filter may take another pixel format than its input has.
    Size,
}

/// `None` for a filter that may change the size.
pub(super) fn kept(name: &str) -> Option<Kept> {
    if ALL.binary_search(&name).is_ok() {
        return Some(Kept::All);
    }
    SIZE.binary_search(&name).is_ok().then_some(Kept::Size)
}

/// Number of inputs of a filter that takes the same number always.
pub(super) fn input_count(name: &str) -> usize {
    match name {
        "threshold" => 4,
        "colormap" | "displace" | "maskedclamp" | "maskedmerge" | "remap" => 3,
        name if TWO_INPUTS.binary_search(&name).is_ok() => 2,
        _ => 1,
    }
}

/// Filters that take every pixel format and give the same.
#[rustfmt::skip]
const ALL: [&str; 19] = [
    "copy", "fifo", "fps", "framestep", "hflip", "loop", "metadata", "null", "realtime", "select", "sendcmd",
    "setfield", "setparams", "setpts", "settb", "showinfo", "split", "trim", "vflip",
];

/// Filters that keep size and shape.
#[rustfmt::skip]
const SIZE: [&str; 268] = [
    "addroi", "alphaextract", "alphamerge", "amplify", "ass", "atadenoise", "avgblur", "avgblur_opencl",
    "avgblur_vulkan", "bbox", "bench", "bilateral", "bilateral_cuda", "bitplanenoise", "blackdetect",
    "blackframe", "blend", "blend_vulkan", "blockdetect", "blurdetect", "bm3d", "boxblur", "boxblur_opencl",
    "bwdif", "bwdif_cuda", "bwdif_videotoolbox", "bwdif_vulkan", "cas", "chromaber_vulkan", "chromahold",
    "chromakey", "chromakey_cuda", "chromanr", "chromashift", "codecview", "colorbalance",
    "colorchannelmixer", "colorcontrast", "colorcorrect", "colorhold", "colorize", "colorkey",
    "colorkey_opencl", "colorlevels", "colormap", "colormatrix", "colorspace", "colortemperature",
    "convolution", "convolution_opencl", "convolve", "cover_rect", "cropdetect", "cue", "curves", "dblur",
    "dctdnoiz", "deband", "deblock", "decimate", "deconvolve", "dedot", "deflate", "deflicker",
    "deinterlace_qsv", "deinterlace_vaapi", "dejudder", "delogo", "denoise_vaapi", "deshake",
    "deshake_opencl", "despill", "detelecine", "dilation", "dilation_opencl", "displace", "drawbox",
    "drawgrid", "drawtext", "edgedetect", "elbg", "entropy", "eq", "erosion", "erosion_opencl", "estdif",
    "exposure", "fade", "fftdnoiz", "fftfilt", "fieldhint", "fieldmatch", "fieldorder", "fillborders",
    "find_rect", "flip_vulkan", "floodfill", "format", "framerate", "freezedetect", "freezeframes", "fspp",
    "gblur", "gblur_vulkan", "geq", "gradfun", "grayworld", "greyedge", "guided", "haldclut", "hflip_vulkan",
    "histeq", "hqdn3d", "hsvhold", "hsvkey", "hue", "huesaturation", "hwdownload", "hwmap", "hwupload",
    "hwupload_cuda", "hysteresis", "identity", "idet", "il", "inflate", "interlace", "interleave",
    "kerndeint", "kirsch", "lagfun", "latency", "lenscorrection", "libvmaf", "limitdiff", "limiter",
    "lumakey", "lut", "lut1d", "lut2", "lut3d", "lutrgb", "lutyuv", "maskedclamp", "maskedmax", "maskedmerge",
    "maskedmin", "maskedthreshold", "maskfun", "median", "mestimate", "midequalizer", "minterpolate", "mix",
    "monochrome", "morpho", "mpdecimate", "msad", "multiply", "negate", "nlmeans", "nlmeans_opencl",
    "nlmeans_vulkan", "nnedi", "noformat", "noise", "normalize", "oscilloscope", "overlay", "overlay_cuda",
    "overlay_opencl", "overlay_qsv", "overlay_rkrga", "overlay_vaapi", "overlay_videotoolbox",
    "overlay_vulkan", "owdenoise", "paletteuse", "perms", "perspective", "phase", "photosensitivity",
    "pixdesctest", "pixelize", "pixscope", "pp", "pp7", "premultiply", "prewitt", "prewitt_opencl",
    "procamp_vaapi", "pseudocolor", "psnr", "pullup", "qp", "random", "readeia608", "readvitc", "removegrain",
    "removelogo", "repeatfields", "reverse", "rgbashift", "roberts", "roberts_opencl", "sab", "scdet",
    "scharr", "scroll", "segment", "selectivecolor", "setrange", "sharpen_npp", "sharpness_vaapi", "shear",
    "shuffleframes", "shufflepixels", "shuffleplanes", "sidedata", "signalstats", "signature", "siti",
    "smartblur", "sobel", "sobel_opencl", "spp", "ssim", "subtitles", "swaprect", "swapuv", "tblend",
    "telecine", "threshold", "thumbnail", "thumbnail_cuda", "tlut2", "tmedian", "tmidequalizer", "tmix",
    "tonemap", "tonemap_cuda", "tonemap_opencl", "tonemap_vaapi", "tonemap_videotoolbox", "tpad",
    "unpremultiply", "unsharp", "unsharp_opencl", "vaguedenoiser", "varblur", "vflip_vulkan", "vfrdet",
    "vibrance", "vidstabdetect", "vidstabtransform", "vif", "vignette", "vmafmotion", "w3fdif", "xfade",
    "xfade_opencl", "xmedian", "xpsnr", "yadif", "yadif_cuda", "yadif_videotoolbox", "yaepblur", "zmq",
];

/// Filters with two inputs.
#[rustfmt::skip]
const TWO_INPUTS: [&str; 36] = [
    "alphamerge", "blend", "blend_vulkan", "convolve", "deconvolve", "framepack", "freezeframes", "haldclut",
    "hysteresis", "identity", "libvmaf", "lut2", "maskedmax", "maskedmin", "maskedthreshold", "midequalizer",
    "morpho", "msad", "multiply", "overlay", "overlay_cuda", "overlay_opencl", "overlay_qsv", "overlay_rkrga",
    "overlay_vaapi", "overlay_videotoolbox", "overlay_vulkan", "paletteuse", "psnr", "scale2ref", "ssim",
    "varblur", "vif", "xfade", "xfade_opencl", "xpsnr",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_apart() {
        for table in [&ALL[..], &SIZE, &TWO_INPUTS] {
            assert!(table.is_sorted_by(|first, second| first < second), "{table:?}");
        }
        assert_eq!(ALL.iter().find(|name| SIZE.contains(name)), None);
    }
}
