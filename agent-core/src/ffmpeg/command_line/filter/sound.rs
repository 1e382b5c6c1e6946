//! Tells filters of sound from filters of pictures.

/// Names of filters of pictures that begin with `a`.
const PICTURES: [&str; 13] = [
    "addroi",
    "allrgb",
    "allyuv",
    "alphaextract",
    "alphamerge",
    "amplify",
    "ass",
    "atadenoise",
    "avgblur",
    "avgblur_opencl",
    "avgblur_vulkan",
    "avectorscope",
    "ahistogram",
];

/// Names of filters of sound that do not begin with `a`.
const SOUND: [&str; 51] = [
    "bandpass",
    "bandreject",
    "bass",
    "biquad",
    "bs2b",
    "channelmap",
    "channelsplit",
    "chorus",
    "compand",
    "compensationdelay",
    "crossfeed",
    "crystalizer",
    "dcshift",
    "deesser",
    "dialoguenhance",
    "drmeter",
    "dynaudnorm",
    "earwax",
    "ebur128",
    "equalizer",
    "extrastereo",
    "firequalizer",
    "flanger",
    "flite",
    "haas",
    "hdcd",
    "headphone",
    "highpass",
    "highshelf",
    "join",
    "ladspa",
    "loudnorm",
    "lowpass",
    "lowshelf",
    "lv2",
    "mcompand",
    "pan",
    "replaygain",
    "rubberband",
    "sidechaincompress",
    "sidechaingate",
    "silencedetect",
    "silenceremove",
    "sine",
    "speechnorm",
    "stereotools",
    "stereowiden",
    "treble",
    "tremolo",
    "volume",
    "volumedetect",
];

/// Whether the outputs of a filter are sound.
pub(super) fn is_heard(name: &str) -> bool {
    if is_shown(name) || PICTURES.contains(&name) {
        return false;
    }
    name.starts_with('a')
        || SOUND.contains(&name)
        || matches!(name, "superequalizer" | "surround" | "vibrato" | "virtualbass")
}

/// Whether a filter draws sound.
pub(super) fn is_shown(name: &str) -> bool {
    let is_drawn = name.starts_with("show") && !matches!(name, "showinfo" | "showpalette");
    is_drawn || matches!(name, "avectorscope" | "ahistogram" | "abitscope" | "adrawgraph")
}
