// History from the ledger in the drawer: the host over a quarter of an hour, a day and a month, a workload over a day, earlier encodes.
"use strict";

const day = (seconds) => new Date(seconds * 1000).toLocaleDateString([], { day: "numeric", month: "short" });
const minute = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

const HOUR = 3600;

/** Ranges of the host's drawer: the first from the memory of the agent, the others from its ledger. */
const RANGES = {
  "15m": { title: "15 minutes", parts: PARTS, label: minute, steps: [60, 120, 300, 600], pause: 1900, query: "series?range=15m&steps=450" },
  "24h": { title: "24 hours", label: minute, steps: [1, 2, 3, 6, 12].map((hours) => hours * HOUR), query: "history?range=24h" },
  "30d": { title: "30 days", label: day, steps: [24, 48, 120, 168, 240].map((hours) => hours * HOUR), query: "history?range=30d" },
};

/** From the bottom up: the ledger does not tell containers from services. */
const PARTS_OF_LEDGER = ["idle", "system", "workloads", "unattributed"];

/** Milliseconds between two requests for the same history. */
const PAST_PAUSE = 60_000;

/** Figures over a range of the host's history. A figure that the history does not have is left out. */
const RANGE_FIGURES = [
  ["Mean power", (past) => watts(past.known_seconds > 0 ? past.energy_joules / past.known_seconds : undefined)],
  ["Energy", (past) => `${joules(past.energy_joules)} · ${kilowattHours(past.energy_joules)}${past.is_estimated ? " (partly or wholly estimated)" : ""}`],
  ["Cost", (past) => { const cost = costOf(past.energy_joules, past.cpu_seconds); return known(past.cpu_seconds) && cost ? `${cash(cost.total)} (${partsOf(cost)})` : undefined; }],
  ["CO₂e", (past) => grams((past.energy_joules / JOULES_PER_KILOWATT_HOUR) * prices.carbon_grams_per_kilowatt_hour)],
  ["Observed", (past, range) => (range === "15m" ? undefined : `${lengthOf(past.known_seconds)} of ${RANGES[range].title}`)],
];

/** Energy of a series in memory: each value is the mean of the time since the value before. */
function sumOf(series) {
  const times = series.times_unix_seconds;
  const steps = times.slice(1).map((time, index) => time - times[index]).sort((one, other) => one - other);
  const step = steps[Math.floor(steps.length / 2)] ?? 0;
  const totals = times.map((_, index) => series.series.map((one) => one.power_watts[index]).filter(known)).filter((all) => all.length > 0);
  const sum = totals.reduce((sum, all) => sum + all.reduce((part, watts) => part + watts, 0), 0);
  return { ...series, energy_joules: sum * step, known_seconds: totals.length * step };
}

/** A part of the drawer that requests its content. */
class Requested {
  constructor(pause) {
    Object.assign(this, { pause, next: 0, message: element("p", { class: "quiet" }) });
  }

  /** Requests the content when that is due. A failure is shown in its place. */
  async ask(ask) {
    if (performance.now() < this.next) return;
    this.next = performance.now() + this.pause;
    try {
      this.set(await ask(this.query));
      this.say("");
    } catch (error) {
      this.say(`No history: ${error.message}`);
    }
  }

  say(text) {
    write(this.message, text);
    this.message.hidden = text === "";
  }
}

/** The power of the host over a range, with its sums. */
class HostPast extends Requested {
  constructor({ key }, open) {
    const range = RANGES[key] ? key : "15m";
    super(RANGES[range].pause ?? PAST_PAUSE);
    const { parts = PARTS_OF_LEDGER, query } = RANGES[range];
    Object.assign(this, { range, parts, query });
    this.tabs = Object.entries(RANGES).map(([name, { title }]) => {
      const tab = element("button", { type: "button", "aria-pressed": String(name === range), "data-range": name }, title);
      tab.addEventListener("click", () => open({ kind: "host", key: name }));
      return tab;
    });
    this.hovered = element("span", { class: "hovered" });
    this.box = element("div", { class: "chart", role: "img", "aria-label": `Power of the host over ${RANGES[range].title}` });
    this.legend = new Map(parts.map((part) => [part, element("output")]));
    const rows = [...this.legend].reverse().map(([part, output]) => {
      const swatch = element("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.setProperty("--color", `var(--${part === "workloads" ? "containers" : part})`);
      return element("li", { "data-part": part }, swatch, PART_NAMES[part], output);
    });
    this.figures = figureList(`Last ${RANGES[range].title}`, RANGE_FIGURES);
    const tabs = element("div", { class: "ranges", role: "group", "aria-label": "Range" }, ...this.tabs);
    this.shown = element("div", { hidden: "" }, this.hovered, this.box, element("ul", { class: "legend", "aria-label": "Power by part" }, ...rows), this.figures.part);
    this.element = element("div", {}, tabs, this.message, this.shown);
    this.say("loading …");
  }

  focus() {
    this.tabs.find((tab) => tab.dataset.range === this.range).focus();
  }

  set(answer) {
    this.past = this.range === "15m" ? sumOf(answer) : answer;
    this.shown.hidden = false;
    if (!this.chart) this.redraw();
    this.chart.set(this.past);
    this.hover(null);
    this.update();
  }

  hover(at) {
    const index = this.past.times_unix_seconds.length - 1;
    const shown = at ?? this.chart.at(index);
    write(this.hovered, shown ? `${moment(shown.time)}: ${watts(shown.total)}` : UNKNOWN);
    for (const [part, output] of this.legend) write(output, watts(shown?.parts[part]));
  }

  update() {
    if (!this.past) return;
    for (const { show, value, row } of this.figures.rows) {
      const text = show(this.past, this.range);
      row.hidden = text === undefined;
      write(value, text ?? "");
    }
  }

  redraw() {
    if (!this.past) return;
    this.clear();
    const { label, steps } = RANGES[this.range];
    this.chart = new PowerChart(this.box, (at) => this.hover(at), { parts: this.parts, height: 180, label, steps });
    this.chart.set(this.past);
  }

  clear() {
    this.chart?.clear();
    this.chart = undefined;
  }
}

/** The power of the workloads of a name over a day. */
class WorkloadPast extends Requested {
  constructor({ key }) {
    super(PAST_PAUSE);
    this.query = `history?range=24h&workload=${encodeURIComponent(key.split("\n")[0])}`;
    this.chart = new LineChart("past", "Power over 24 hours, from the ledger", watts);
    this.element = element("div", {}, this.chart.figure, this.message);
    this.say("");
  }

  set(past) {
    const times = past.times_unix_seconds;
    this.chart.set(times, past.series[0].power_watts, [times[0] - past.step_seconds, times.at(-1)], minute);
  }

  update(item, kind) {
    this.chart.colour = kind.colour(item);
  }

  redraw() {
    this.chart.draw();
  }

  clear() {
    this.chart.clear();
  }
}

/** Columns of the earlier encodes. */
const EARLIER = [
  ["Ended", (one) => `${day(one.ended_unix_seconds)} ${minute(one.ended_unix_seconds)}${one.is_end_known ? "" : " (last seen)"}`],
  ["Encode", (one) => encodeOf(one)],
  ["Energy", (one) => joules(one.energy_joules), true],
  ["J/frame", (one) => joules(one.joules_per_frame), true],
  ["VMAF", (one) => score(one.vmaf_score), true],
  ["Cost", (one) => { const cost = costOf(one.energy_joules, one.cpu_seconds); return cash(cost?.total); }, true],
];

/** Earlier encodes of the same scenario; without a scenario, of the same workload. */
class EarlierEncodes extends Requested {
  constructor({ key }, item) {
    super(PAST_PAUSE / 2);
    this.own = key;
    const [by, name] = item.scenario ? ["scenario", item.scenario] : ["workload", item.workload];
    this.query = `history/transcodes?${by}=${encodeURIComponent(name)}`;
    this.body = element("tbody", { role: "rowgroup" });
    const heads = EARLIER.map(([title, , isNumber]) => element("th", { scope: "col", role: "columnheader", class: isNumber ? "number" : "" }, title));
    const head = element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads));
    const table = element("table", { role: "table", "aria-label": "Earlier encodes" }, head, this.body);
    this.scroll = element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Earlier encodes" }, table);
    this.section = element("section", { "data-part": "earlier", hidden: "" }, element("h3", {}, `Earlier encodes of the ${by} ${name}, from the ledger`), this.scroll);
    this.element = element("div", {}, this.section, this.message);
    this.say("");
  }

  set({ items }) {
    const earlier = items.filter((one) => one.transcode !== this.own);
    this.section.hidden = earlier.length === 0;
    this.body.replaceChildren(...earlier.map((one) => element("tr", { role: "row" }, ...EARLIER.map((column) => this.cell(column, one)))));
  }

  /** A card of a phone leaves out a cell without a value. */
  cell([title, show, isNumber], one) {
    const text = show(one);
    const value = text === UNKNOWN ? {} : { "data-value": text };
    return element("td", { role: "cell", class: isNumber ? "number" : "", "data-title": title, ...value }, text);
  }

  update() {}

  redraw() {}

  clear() {}
}
