// The figures of the drawer: each figure of the API for an encode and for a workload. An unknown figure is left out.
"use strict";

/** A figure: title and text. It is left out when the API does not have it. */
const figure = (title, field, format = String) => [
  title,
  (one) => (known(one[field]) && one[field] !== "" ? format(one[field]) : undefined),
];

/** The figures that are always there, with a dash where they are unknown. */
const ENCODE_TILES = [
  ["Power", (one) => watts(one.is_running ? one.power_watts : undefined)],
  ["Energy", (one) => joules(one.energy_joules)],
  ["J/frame", (one) => joules(one.joules_per_frame)],
  ["Speed", (one) => speed(one.speed_ratio)],
];

const ENCODE_GROUPS = [
  ["Encode", [
    figure("Program", "program"),
    figure("Encoder", "codec"),
    figure("Standard", "codec_standard"),
    figure("Hardware", "hardware"),
    figure("Preset", "preset"),
    figure("Resolution", "resolution"),
    figure("Requested bitrate", "bitrate_bits_per_second", bits),
    ["Input", (one) => (one.is_live ? "live" : "file")],
    figure("Outputs", "outputs"),
    ["Renditions", renditionsOf],
    figure("Scenario", "scenario"),
  ]],
  ["Process", [
    ["State", stateOf],
    ["PID", processOf],
    figure("Started", "started_unix_seconds", moment),
    ["Age", (one, now) => (one.is_running ? lengthOf(Math.max(0, now - one.started_unix_seconds)) : undefined)],
    figure("Ended", "ended_unix_seconds", moment),
    ["Length", (one) => (known(one.ended_unix_seconds) ? lengthOf(one.ended_unix_seconds - one.started_unix_seconds) : undefined)],
    figure("Exit code", "exit_code"),
    figure("Observed from", "observed_from_unix_seconds", moment),
    figure("Not observed for", "unobserved_seconds", lengthOf),
    ["CPU cores", (one) => (one.is_running ? number(one.cpu_cores) : undefined)],
    figure("CPU time", "cpu_seconds", lengthOf),
  ]],
  ["Progress", [
    figure("Frames", "frames"),
    figure("Frames per second", "frames_per_second", number),
    figure("Dropped frames", "dropped_frames"),
    figure("Duplicated frames", "duplicated_frames"),
    figure("Output", "output_seconds", lengthOf),
    figure("Output bitrate", "output_bits_per_second", bits),
  ]],
  ["Quality", [
    figure("VMAF", "vmaf_score", score),
    figure("VMAF model", "vmaf_model"),
    figure("PSNR", "psnr_decibels", decibels),
    figure("SSIM", "ssim_score", (value) => value.toFixed(4)),
    figure("Scored frames", "quality_covered_ratio", percent),
  ]],
  ["Energy", [
    figure("Energy per second of output", "joules_per_output_second", joules),
    figure("Energy per megapixel", "joules_per_megapixel", joules),
    figure("Energy per VMAF point", "joules_per_vmaf_point", joules),
  ]],
  ["Cost and CO₂e", COST_FIGURES, costExplained],
];

/** The key of a transcode is the process number and the start second. */
function processOf(one) {
  return one.transcode.split("-")[0];
}

function renditionsOf(one) {
  const copied = one.copied_streams > 0 ? `, ${one.copied_streams} copied` : "";
  return one.renditions > 0 ? `${one.encoded_renditions} encoded${copied}` : undefined;
}

const HOST_TILES = [
  ["Power", (one) => watts(one.power_watts)],
  ["CPU", (one) => percent(one.utilisation_ratio)],
  ["Cost", perHour],
];

const HOST_GROUPS = [
  ["Host", [
    figure("Busy CPUs", "cpu_cores", number),
    figure("Installed memory", "memory_bytes", bytes),
    figure("Energy since start", "energy_joules", joules),
    figure("CPU time since start", "cpu_seconds", lengthOf),
  ]],
  ["Cost and CO₂e", COST_FIGURES, costExplained],
];

const WORKLOAD_TILES = [
  ["Power", (one) => watts(one.power_watts)],
  ["Energy", (one) => joules(one.energy_joules)],
  ["CPU cores", (one) => number(one.cpu_cores)],
  ["Memory", (one) => bytes(one.memory_bytes)],
];

const WORKLOAD_GROUPS = [
  ["Workload", [
    figure("Id", "id"),
    figure("Kind", "kind", (kind) => (kind === "pseudo" ? "host" : kind)),
    figure("Part of the host", "part", (part) => PART_NAMES[part] ?? part),
    figure("Image", "image"),
    figure("Scenario", "scenario"),
    figure("State", "state"),
  ]],
  ["Energy", [
    figure("Uncertainty of the energy", "uncertainty_joules", (value) => `± ${joules(value)}`),
    figure("CPU time", "cpu_seconds", lengthOf),
  ]],
  ["Cost and CO₂e", COST_FIGURES, costExplained],
];
