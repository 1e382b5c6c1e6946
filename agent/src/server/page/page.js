// Requests the figures from the agent, shows them, and reconnects after an interruption.
"use strict";

const find = (id) => document.getElementById(id);
const SPARK_SECONDS = 300;

const sparklines = new Sparklines();
let currency = "";
let last = null;

// --- Tables

const nameOf = (one) => one.workload;
const keyOfWorkload = (one) => `${one.workload}\n${one.id}`;

const transcodes = new Table(find("transcodes"), {
  key: (one) => one.transcode,
  // A transcode outside of all containers and units has the colour of the system.
  colour: (one) => colourOf(one.workload, one.workload_id === "" ? "system" : undefined),
  isOver: (one) => !one.is_running,
  sort: { field: "power_watts", isDown: true },
  sparklines,
  empty: "No encode yet. Start ffmpeg in a container or on the host.",
  columns: [
    { field: "workload", title: "Container", kind: "name", isText: true, show: nameOf },
    { field: "codec", title: "Encode", isText: true, value: encodeOf, show: encodeOf },
    { field: "state", title: "State", isText: true, value: stateOf, show: stateOf, mark: (one) => (one.is_stalled || hasFailed(one) ? "alarm" : "") },
    { field: "power_watts", title: "Power", value: (one) => (one.is_running ? one.power_watts : undefined), show: (one) => (one.is_running ? watts(one.power_watts) : "–") },
    { field: "spark", title: "5 min", kind: "spark" },
    { field: "energy_joules", title: "Energy", show: (one) => joules(one.energy_joules) },
    { field: "joules_per_frame", title: "J/frame", show: (one) => joules(one.joules_per_frame) },
    { field: "speed_ratio", title: "Speed", show: (one) => speed(one.speed_ratio), mark: (one) => (one.is_stalled ? "alarm" : "") },
    { field: "frames", title: "Frames", show: framesOf, mark: (one) => (one.dropped_frames > 0 ? "alarm" : "") },
    { field: "vmaf_score", title: "VMAF", show: (one) => score(one.vmaf_score) },
    { field: "cost", title: "Cost", show: (one) => money(one.cost, currency) },
    { field: "carbon_grams", title: "CO₂e", show: (one) => grams(one.carbon_grams) },
  ],
});

function encodeOf(one) {
  return [one.codec ?? one.program, one.preset, one.resolution].filter(Boolean).join(" · ");
}

function stateOf(one) {
  if (one.is_running) return one.is_stalled ? "falls behind" : "running";
  return hasFailed(one) ? `failed (${one.exit_code})` : (one.ending ?? "ended");
}

function hasFailed(one) {
  return one.ending === "failed";
}

function framesOf(one) {
  if (!known(one.frames)) return "–";
  return one.dropped_frames > 0 ? `${one.frames} (${one.dropped_frames} dropped)` : String(one.frames);
}

const workloads = new Table(find("workloads"), {
  key: keyOfWorkload,
  colour: (one) => colourOf(one.workload, one.part),
  isOver: (one) => !one.is_running,
  sort: { field: "power_watts", isDown: true },
  sparklines,
  empty: "No workload yet.",
  columns: [
    { field: "workload", title: "Name", kind: "name", isText: true, show: nameOf },
    { field: "kind", title: "Kind", isText: true, show: (one) => (one.kind === "pseudo" ? "host" : one.kind) },
    { field: "power_watts", title: "Power", show: (one) => watts(one.power_watts) },
    { field: "spark", title: "5 min", kind: "spark" },
    { field: "energy_joules", title: "Energy", show: (one) => joules(one.energy_joules) },
    { field: "cpu_cores", title: "CPU cores", show: (one) => number(one.cpu_cores) },
    { field: "memory_bytes", title: "Memory", show: (one) => bytes(one.memory_bytes) },
    { field: "energy_cost", title: "Energy cost", show: (one) => money(one.energy_cost, currency) },
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
  columns: [
    { field: "scenario", title: "Scenario", kind: "name", isText: true, show: (one) => one.scenario },
    { field: "is_on_front", title: "Pareto front", isText: true, value: (one) => (one.is_on_front ? 0 : 1), show: (one) => (one.is_on_front ? "◆" : "") },
    { field: "energy_joules", title: "Energy", show: (one) => joules(one.energy_joules) },
    { field: "vmaf_score", title: "VMAF", show: (one) => score(one.vmaf_score) },
    { field: "joules_per_frame", title: "J/frame", show: (one) => joules(one.joules_per_frame) },
    { field: "cost", title: "Cost", show: (one) => money(one.cost, one.currency ?? currency) },
    { field: "carbon_grams", title: "CO₂e", show: (one) => grams(one.carbon_grams) },
    { field: "energy_basis", title: "Source", isText: true, show: (one) => ({ measured: "measured", model: "estimate", file: "result file" })[one.energy_basis] ?? "–" },
  ],
});

const sources = new Table(find("sources"), {
  key: (one) => one.source,
  sort: { field: "source", isDown: false },
  sparklines,
  empty: "No source has been read yet.",
  columns: [
    { field: "source", title: "Source", kind: "name", isText: true, show: (one) => one.source },
    { field: "is_up", title: "State", isText: true, value: (one) => (one.is_up ? 1 : 0), show: (one) => ({ up: "works", down: "down", absent: "not available" })[one.state], mark: (one) => ({ up: "good", down: "bad", absent: "" })[one.state] },
    { field: "problem", title: "Problem", isText: true, isFixed: true, isLong: true, show: (one) => one.problem ?? "" },
    { field: "fix", title: "Fix", isText: true, isFixed: true, isLong: true, show: (one) => one.fix || (one.is_up ? "" : "ffwatt check") },
  ],
});

// --- Power

const legend = new Map();
for (const part of [...PARTS].reverse()) {
  const value = element("output");
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.setProperty("--color", `var(--${part})`);
  find("legend").append(element("li", { "data-part": part }, swatch, PART_NAMES[part], value));
  legend.set(part, value);
}
const power = new PowerChart(find("power"), (hovered) => showLegend(hovered?.parts));
const front = new FrontChart(find("front"));

function showLegend(parts) {
  const now = Object.fromEntries((last?.split ?? []).map((one) => [one.part, one.power_watts]));
  for (const [part, output] of legend) write(output, watts((parts ?? now)[part]));
}

// --- Answers of the agent

function show(answer) {
  last = answer;
  currency = answer.prices.currency;
  document.body.dataset.tick = String(answer.tick);
  write(find("host-watts"), watts(answer.host.power_watts));
  write(find("container-watts"), watts(answer.split.find((one) => one.part === "containers")?.power_watts));
  write(find("running"), String(answer.transcodes.filter((one) => one.is_running).length));
  write(find("cpu"), `${percent(answer.host.utilisation_ratio)} of ${answer.host.cpus}`);
  const cost = known(answer.host.energy_joules) ? (answer.host.energy_joules / 3.6e6) * answer.prices.per_kilowatt_hour : undefined;
  write(find("energy"), `${joules(answer.host.energy_joules)} · ${money(cost, currency)}`);
  power.element.setAttribute("aria-label", `Power of the host over the last ten minutes; now ${watts(answer.host.power_watts)}`);
  if (!power.chart.cursor.idx) showLegend();
  notices(answer.notices);
  // A folded workload gets a row only if it has energy.
  workloads.set(answer.workloads.filter((one) => !one.workload.startsWith("(") || one.energy_joules > 0));
  transcodes.set(answer.transcodes);
  scenarios.set(answer.scenarios);
  find("scenarios-section").hidden = answer.scenarios.length === 0;
  if (answer.scenarios.length > 0) front.set(answer.scenarios);
  sources.set(answer.sources);
  const { cpu_source, energy_source, is_estimated, idle_policy } = answer.method;
  const energy = energy_source ? `energy from ${energy_source}${is_estimated ? " (an estimate)" : ""}` : "energy unknown";
  write(find("method"), `CPU time from ${cpu_source}, ${energy}; idle energy: ${idle_policy}.`);
  write(find("about"), `ffwatt ${answer.agent_version}`);
  count();
}

function notices(all) {
  const box = find("notices");
  const texts = all.map((one) => {
    const since = known(one.since_unix_seconds) ? `Since ${clock(one.since_unix_seconds)}.` : "";
    const fix = one.fix ?? "";
    return [one.text, since, fix === "" ? "" : `Fix: ${fix}`].filter((words) => words !== "").join(" ");
  });
  if (box.dataset.texts === texts.join("\n")) return;
  box.dataset.texts = texts.join("\n");
  box.replaceChildren(...all.map((one, index) => {
    const notice = element("p", { class: "notice", "data-finding": one.finding });
    // Text between backticks is a command.
    texts[index].split("`").forEach((text, place) => notice.append(place % 2 ? element("code", {}, text) : text));
    return notice;
  }));
}

function count() {
  write(find("count"), `${transcodes.shown} of ${transcodes.items.length} encodes, ${workloads.shown} of ${workloads.items.length} workloads`);
}

// --- Filters

function filter() {
  const words = find("filter").value.trim().toLowerCase();
  const withEnded = find("ended").checked;
  const withPseudo = find("pseudo").checked;
  const has = (one, fields) => words === "" || fields.some((field) => String(one[field] ?? "").toLowerCase().includes(words));
  transcodes.isWanted = (one) =>
    (withEnded || one.is_running) && has(one, ["workload", "codec", "codec_standard", "preset", "resolution", "scenario", "transcode", "program"]);
  workloads.isWanted = (one) =>
    (withEnded || one.is_running) && (withPseudo || one.part === "containers") && has(one, ["workload", "id", "kind", "image", "scenario"]);
  transcodes.arrange();
  workloads.arrange();
  count();
}
for (const id of ["filter", "ended", "pseudo"]) find(id).addEventListener("input", filter);
filter();

// --- The connection

async function ask(path) {
  const answer = await fetch(`api/v1/${path}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  const body = await answer.json();
  body.age = Number(answer.headers.get("Age") ?? 0);
  return body;
}

/** Runs `work` at most once per `pause`, and never twice at the same time. */
function paced(pause, work) {
  let isBusy = false;
  let next = 0;
  return async (isUrgent = false) => {
    if (isBusy || (!isUrgent && performance.now() < next)) return;
    isBusy = true;
    next = performance.now() + pause;
    try {
      await work();
    } catch {
      lost();
    } finally {
      isBusy = false;
    }
  };
}

const askFigures = paced(900, async () => {
  show(await ask("snapshot?include=workloads,transcodes,scenarios"));
  const shown = clock(last.time_unix_seconds);
  // An agent without ticks still answers.
  if (last.age > 3 * last.tick_seconds) state("stale", `the agent has not updated for ${last.age} s: the figures are of ${shown}`);
  else state("live", `tick ${last.tick} · ${shown}`);
});
const askPower = paced(1900, async () => power.set(await ask("series?range=10m&steps=300")));
const askLines = paced(4900, async () => {
  const range = `range=${SPARK_SECONDS}&steps=60`;
  const [ofWorkloads, ofTranscodes] = await Promise.all([ask(`series?workload=*&${range}`), ask(`series?transcode=*&${range}`)]);
  const values = new Map(ofWorkloads.series.map((one) => [keyOfWorkload(one), one.power_watts]));
  for (const one of ofTranscodes.series) values.set(one.transcode, one.power_watts);
  sparklines.set(ofWorkloads.times_unix_seconds, values);
});

function askAll(isUrgent) {
  // A hidden page is not updated.
  if (document.hidden && !isUrgent) return;
  askFigures(isUrgent);
  askPower(isUrgent);
  askLines(isUrgent);
}

function state(name, text) {
  document.body.dataset.state = name;
  find("status").dataset.state = name;
  write(find("status"), text);
}

function lost() {
  const since = last ? `: the figures are of ${clock(last.time_unix_seconds)}` : "";
  state("lost", `no connection to the agent${since}; trying again`);
}

function listen() {
  const events = new EventSource("api/v1/events");
  events.addEventListener("open", () => askAll(true));
  events.addEventListener("tick", () => askAll(false));
  events.addEventListener("error", () => {
    lost();
    // The browser repeats a refused connection, but not a request that was answered with an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

// Without ticks, only this timer requests figures.
setInterval(() => { if (!document.hidden && document.body.dataset.state !== "lost") askFigures(); }, 2000);

document.addEventListener("visibilitychange", () => askAll(!document.hidden));

// --- The theme

const dark = matchMedia("(prefers-color-scheme: dark)");
const THEMES = ["auto", "light", "dark"];

function remembered() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

function theme(name) {
  document.documentElement.dataset.theme = name === "auto" ? (dark.matches ? "dark" : "light") : name;
  find("theme").dataset.theme = name;
  write(find("theme"), `Theme: ${name}`);
  power.draw();
  front.draw();
  sparklines.redraw();
}
find("theme").addEventListener("click", () => {
  const name = THEMES[(THEMES.indexOf(find("theme").dataset.theme) + 1) % THEMES.length];
  try {
    localStorage.setItem("theme", name);
  } catch {
    // The theme is then lost with the page.
  }
  theme(name);
});
dark.addEventListener("change", () => find("theme").dataset.theme === "auto" && theme("auto"));

write(find("host"), location.host);
document.title = `ffwatt · ${location.hostname}`;
find("dashboards").href = `${location.protocol}//${location.hostname}:3000`;
theme(THEMES.includes(remembered()) ? remembered() : "auto");
listen();
