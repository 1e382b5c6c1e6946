// Requests the figures from the agent, shows them, and reconnects after an interruption.
"use strict";

const SPARK_SECONDS = 300;

let last = null;

// --- Power

const legend = new Map();
for (const part of [...PARTS].reverse()) {
  const value = element("output");
  const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.setProperty("--color", `var(--${part})`);
  find("legend").append(element("li", { "data-part": part }, swatch, PART_NAMES[part], value));
  legend.set(part, value);
}
const power = new PowerChart(find("power"), showHovered);
const front = new FrontChart(find("front"));
const recorder = new Recorder();

/** The time under the pointer, with the total and the parts; without it, the last tick. */
function showHovered(hovered) {
  const [time, total] = hovered ? [hovered.time, hovered.total] : [last?.time_unix_seconds, last?.host.power_watts];
  write(find("hovered"), known(time) ? `${clock(time)}: ${watts(total)}` : UNKNOWN);
  showLegend(hovered?.parts);
}

function showLegend(parts) {
  const now = Object.fromEntries((last?.split ?? []).map((one) => [one.part, one.power_watts]));
  for (const [part, output] of legend) write(output, watts((parts ?? now)[part]));
}

// --- Answers of the agent

function show(answer) {
  last = answer;
  prices = answer.prices;
  currency = prices.currency;
  document.body.dataset.tick = String(answer.tick);
  write(find("host-watts"), watts(answer.host.power_watts));
  write(find("container-watts"), watts(answer.split.find((one) => one.part === "containers")?.power_watts));
  write(find("running"), String(answer.transcodes.filter((one) => one.is_running).length));
  write(find("cpu"), `${percent(answer.host.utilisation_ratio)} of ${answer.host.cpus}`);
  write(find("energy"), `${joules(answer.host.energy_joules)} · ${kilowattHours(answer.host.energy_joules)}`);
  showCost(answer.host);
  power.element.setAttribute("aria-label", `Power of the host over the last ten minutes; now ${watts(answer.host.power_watts)}`);
  if (!known(power.chart.cursor.idx)) showHovered(null);
  notices(answer.notices);
  // A folded workload gets a row only if it has energy.
  workloads.set(answer.workloads.filter((one) => !one.workload.startsWith("(") || one.energy_joules > 0));
  transcodes.set(answer.transcodes);
  scenarios.set(answer.scenarios);
  find("scenarios-section").hidden = answer.scenarios.length === 0;
  if (answer.scenarios.length > 0) front.set(answer.scenarios);
  sources.set(answer.sources);
  recorder.add(answer);
  drawer.update();
  write(find("method"), `CPU time from ${answer.method.cpu_source}, ${methodOf(answer.method)}; idle energy: ${answer.method.idle_policy}.`);
  write(find("about"), `ffwatt ${answer.agent_version}`);
  count();
}

function methodOf({ energy_source, is_estimated }) {
  return energy_source ? `energy from ${energy_source}${is_estimated ? " (an estimate)" : ""}` : "energy unknown";
}

function showCost(host) {
  find("cost-tile").hidden = hourOf(host) === undefined;
  write(find("cost"), `${perHour(host)} · ${perMonth(host)}`);
  find("cost-tile").title = costExplained();
  for (const table of [transcodes, workloads]) table.showHelp();
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
  write(find("count"), `${transcodes.matching} of ${transcodes.items.length} encodes, ${workloads.matching} of ${workloads.items.length} workloads`);
}

// --- The view

function filter() {
  const words = find("filter").value.trim().toLowerCase();
  const withPseudo = find("pseudo").checked;
  const has = (one, fields) => words === "" || fields.some((field) => String(one[field] ?? "").toLowerCase().includes(words));
  const ofTranscode = ["workload", "codec", "codec_standard", "preset", "resolution", "scenario", "transcode", "program"];
  transcodes.isWanted = (one) => has(one, ofTranscode);
  workloads.isWanted = (one) => (withPseudo || one.part === "containers") && has(one, ["workload", "id", "kind", "image", "scenario"]);
  transcodes.arrange();
  workloads.arrange();
  count();
}

const drawer = new Drawer(find("drawer"), {
  onOpen: (isFirst) => view.opened(isFirst),
  onClose: (origin, isByUser) => {
    if (isByUser) view.closed();
    if (origin.kind === "host") find("host-details").focus();
    else (origin.kind === "encode" ? transcodes : workloads).focus(origin.key);
  },
  ask,
});

const view = new View({
  tables: { encodes: transcodes, workloads, scenarios, sources },
  filter: find("filter"),
  pseudo: find("pseudo"),
  drawer,
  apply: filter,
});

find("host-details").addEventListener("click", () => drawer.open({ kind: "host", key: "15m" }));
for (const id of ["filter", "pseudo"]) {
  find(id).addEventListener("input", () => {
    filter();
    view.changed();
  });
}
// A jump to the figures leaves the address as it is.
find("skip").addEventListener("click", (event) => {
  event.preventDefault();
  find("main").focus();
});

// --- The connection

async function ask(path) {
  const answer = await fetch(`api/v1/${path}`, { cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) {
    const { error } = await answer.json().catch(() => ({}));
    throw new Error(error ?? `${path}: ${answer.status}`);
  }
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

/** The rows of more workloads than this are updated at every other tick: they are most of the bytes. */
const MANY_WORKLOADS = 100;
let workloadsAreDue = 0;

const askFigures = paced(900, async () => {
  const isDue = performance.now() >= workloadsAreDue;
  const answer = await ask(`snapshot?include=${isDue ? "workloads," : ""}transcodes,scenarios`);
  if (isDue) workloadsAreDue = performance.now() + (answer.workloads.length > MANY_WORKLOADS ? 1900 : 0);
  show(isDue ? answer : { ...answer, workloads: last.workloads });
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

const askDrawer = paced(1900, () => drawer.askSeries());

function askAll(isUrgent) {
  // A hidden page is not updated.
  if (document.hidden && !isUrgent) return;
  askFigures(isUrgent);
  askPower(isUrgent);
  askLines(isUrgent);
  askDrawer(isUrgent);
}

function state(name, text) {
  document.body.dataset.state = name;
  find("status").dataset.state = name;
  write(find("status"), text);
  write(find("drawer-status"), text);
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
  drawer.redraw();
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
view.restore();
listen();
