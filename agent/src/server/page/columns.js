// The columns of the tables.
"use strict";

const sparklines = new Sparklines();
let currency = "";

const nameOf = (one) => one.workload;
const keyOfWorkload = (one) => `${one.workload}\n${one.id}`;

/** A transcode outside of all containers and units has the colour of the system. */
const colourOfTranscode = (one) => colourOf(one.workload, one.workload_id === "" ? "system" : undefined);

const transcodes = new Table(find("transcodes"), {
  key: (one) => one.transcode,
  colour: colourOfTranscode,
  isOver: (one) => !one.is_running,
  sort: { field: "power_watts", isDown: true },
  sparklines,
  empty: "No encode yet. Start ffmpeg in a container or on the host.",
  onOpen: (one) => drawer.open({ kind: "encode", key: one.transcode }),
  onChange: () => view.changed(),
  columns: [
    { field: "workload", title: "Container", kind: "name", isText: true, show: nameOf },
    { field: "codec", title: "Encode", isText: true, value: encodeOf, show: encodeOf },
    { field: "state", title: "State", isText: true, value: stateOf, show: stateOf, mark: (one) => (one.is_stalled || hasFailed(one) ? "alarm" : "") },
    { field: "power_watts", title: "Power", value: (one) => (one.is_running ? one.power_watts : undefined), show: (one) => (one.is_running ? watts(one.power_watts) : UNKNOWN) },
    { field: "spark", title: "5 min", kind: "spark" },
    { field: "energy_joules", title: "Energy", show: (one) => joules(one.energy_joules) },
    { field: "joules_per_frame", title: "J/frame", show: (one) => joules(one.joules_per_frame) },
    { field: "speed_ratio", title: "Speed", show: (one) => speed(one.speed_ratio), mark: (one) => (one.is_stalled ? "alarm" : "") },
    { field: "frames", title: "Frames", show: framesOf, mark: (one) => (one.dropped_frames > 0 ? "alarm" : "") },
    { field: "vmaf_score", title: "VMAF", show: (one) => score(one.vmaf_score) },
    { field: "cost", title: "Cost", help: costExplained, show: (one) => money(one.cost, currency) },
    { field: "carbon_grams", title: "CO₂e", show: (one) => grams(one.carbon_grams) },
  ],
});

function encodeOf(one) {
  return [one.codec ?? one.program, one.preset, one.resolution].filter(Boolean).join(" · ");
}

/** The word of the agent, with the exit status of a failure. */
function stateOf(one) {
  return hasFailed(one) && known(one.exit_code) ? `${one.state} (${one.exit_code})` : one.state;
}

function hasFailed(one) {
  return one.state === "failed";
}

function framesOf(one) {
  if (!known(one.frames)) return UNKNOWN;
  return one.dropped_frames > 0 ? `${one.frames} (${one.dropped_frames} dropped)` : String(one.frames);
}

const workloads = new Table(find("workloads"), {
  key: keyOfWorkload,
  colour: (one) => colourOf(one.workload, one.part),
  isOver: (one) => !one.is_running,
  sort: { field: "power_watts", isDown: true },
  sparklines,
  empty: "No workload yet.",
  onOpen: (one) => drawer.open({ kind: "workload", key: keyOfWorkload(one) }),
  onChange: () => view.changed(),
  columns: [
    { field: "workload", title: "Name", kind: "name", isText: true, show: nameOf },
    { field: "kind", title: "Kind", isText: true, show: (one) => (one.kind === "pseudo" ? "host" : one.kind) },
    { field: "power_watts", title: "Power", show: (one) => watts(one.power_watts) },
    { field: "spark", title: "5 min", kind: "spark" },
    { field: "energy_joules", title: "Energy", show: (one) => joules(one.energy_joules) },
    { field: "cpu_cores", title: "CPU cores", show: (one) => number(one.cpu_cores) },
    { field: "memory_bytes", title: "Memory", show: (one) => bytes(one.memory_bytes) },
    { field: "cost", title: "Cost", help: costExplained, show: (one) => money(one.cost, currency) },
    { field: "cost_per_hour", title: "Cost/h", help: costExplained, value: (one) => hourOf(one)?.total, show: (one) => money(hourOf(one)?.total, currency) },
    { field: "carbon_grams", title: "CO₂e", show: (one) => grams(one.carbon_grams) },
    { field: "image", title: "Image", isText: true, show: (one) => one.image ?? "" },
  ],
});

const scenarios = new Table(find("scenarios"), {
  key: (one) => one.scenario,
  colour: (one) => colourOf(one.scenario),
  sort: { field: "energy_joules", isDown: false },
  sparklines,
  empty: "No result file has been read.",
  onChange: () => view.changed(),
  columns: [
    { field: "scenario", title: "Scenario", kind: "name", isText: true, show: (one) => one.scenario },
    { field: "is_on_front", title: "Pareto front", isText: true, value: (one) => (one.is_on_front ? 0 : undefined), show: (one) => (one.is_on_front ? "◆" : "") },
    { field: "energy_joules", title: "Energy", show: (one) => joules(one.energy_joules) },
    { field: "vmaf_score", title: "VMAF", show: (one) => score(one.vmaf_score) },
    { field: "joules_per_frame", title: "J/frame", show: (one) => joules(one.joules_per_frame) },
    { field: "cost", title: "Cost", show: (one) => money(one.cost, one.currency ?? currency) },
    { field: "carbon_grams", title: "CO₂e", show: (one) => grams(one.carbon_grams) },
    { field: "energy_basis", title: "Source", isText: true, show: (one) => ({ measured: "measured", model: "estimate", file: "result file" })[one.energy_basis] ?? UNKNOWN },
  ],
});

const sources = new Table(find("sources"), {
  key: (one) => one.source,
  sort: { field: "source", isDown: false },
  sparklines,
  empty: "No source has been read yet.",
  onChange: () => view.changed(),
  columns: [
    { field: "source", title: "Source", kind: "name", isText: true, show: (one) => one.source },
    { field: "is_up", title: "State", isText: true, value: (one) => (one.is_up ? 1 : 0), show: (one) => ({ up: "works", down: "down", absent: "not available" })[one.state], mark: (one) => ({ up: "good", down: "bad", absent: "" })[one.state] },
    { field: "problem", title: "Problem", isText: true, isFixed: true, isLong: true, show: (one) => one.problem ?? "" },
    { field: "fix", title: "Fix", isText: true, isFixed: true, isLong: true, value: (one) => fixOf(one) || undefined, show: fixOf },
  ],
});

function fixOf(one) {
  return one.fix || (one.is_up ? "" : "ffwatt check");
}
