// The drawer: all figures of one encode, of one workload or of the host, with charts, over the page.
"use strict";

/** Most encodes of a workload that are linked in its drawer. */
const MOST_LINKS = 20;

const KINDS = {
  encode: {
    word: "encode",
    item: (answer, key) => answer.transcodes.find((one) => one.transcode === key),
    title: nameOf,
    subtitle: (one) => `${encodeOf(one)} · ${stateOf(one)}`,
    colour: colourOfTranscode,
    tiles: ENCODE_TILES,
    groups: ENCODE_GROUPS,
    charts: [["watts", "Power", watts], ["speed", "Speed", speed], ["perFrame", "J/frame, mean since the start", joules]],
    links: (one, answer) => answer.workloads
      .filter((other) => other.workload === one.workload && other.id === one.workload_id)
      .map((other) => [{ kind: "workload", key: keyOfWorkload(other) }, `Workload ${other.workload}`]),
    parts: (target, item) => [new EarlierEncodes(target, item)],
    query: (key) => `transcode=${encodeURIComponent(key)}`,
    isSeries: (series, key) => series.transcode === key,
  },
  workload: {
    word: "workload",
    item: (answer, key) => answer.workloads.find((one) => keyOfWorkload(one) === key),
    title: nameOf,
    subtitle: (one) => [one.kind === "pseudo" ? "host" : one.kind, one.state].join(" · "),
    colour: (one) => colourOf(one.workload, one.part),
    tiles: WORKLOAD_TILES,
    groups: WORKLOAD_GROUPS,
    charts: [["watts", "Power", watts]],
    links: (one, answer) => answer.transcodes
      .filter((other) => other.workload === one.workload && other.workload_id === one.id)
      .sort((other, another) => another.is_running - other.is_running)
      .slice(0, MOST_LINKS)
      .map((other) => [{ kind: "encode", key: other.transcode }, `Encode ${processOf(other)}: ${encodeOf(other)} · ${stateOf(other)}`]),
    parts: (target, item) => [new WorkloadPast(target), new EarlierEncodes(target, { workload: item.workload })],
    query: (key) => `workload=${encodeURIComponent(key.split("\n")[1] || key.split("\n")[0])}`,
    isSeries: (series, key) => `${series.workload}\n${series.id}` === key,
  },
  host: {
    word: "host",
    item: (answer) => answer.host,
    title: () => location.hostname,
    subtitle: (one) => `${one.cpus} CPUs · ${methodOf(last.method)}`,
    colour: () => "var(--accent)",
    tiles: HOST_TILES,
    groups: HOST_GROUPS,
    charts: [],
    parts: (target) => [new HostPast(target, (other) => drawer.open(other))],
    links: () => [],
  },
};

/** A part of the drawer: a heading, figures that are written in place, and a sentence about them. */
function figureList(heading, figures, explained) {
  const rows = figures.map(([title, show]) => {
    const value = element("dd");
    return { show, value, row: element("div", {}, element("dt", {}, title), value) };
  });
  const note = element("p", { class: "quiet" });
  const part = element("section", {}, element("h3", {}, heading), element("dl", {}, ...rows.map((one) => one.row)), ...(explained ? [note] : []));
  return { part, rows, note, explained };
}

class Drawer {
  /** `onOpen(isFirst)` and `onClose(origin, isByUser)` keep the address and the focus. `origin` is the first target since it opened. */
  constructor(dialog, { onOpen, onClose, ask }) {
    Object.assign(this, { dialog, onOpen, onClose, ask, target: null, origin: null, series: null });
    find("drawer-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => this.closed());
  }

  /** Opens an encode, a workload or the host by the user's choice. */
  open(target) {
    const isFirst = this.target === null;
    this.show(target);
    this.onOpen(isFirst);
  }

  /** Shows this target, or nothing. */
  show(target) {
    if (target?.kind === this.target?.kind && target?.key === this.target?.key) return;
    const isSameKind = this.target !== null && target?.kind === this.target.kind;
    if (this.target === null) this.origin = target;
    this.target = target;
    this.clear();
    if (target === null) {
      this.dialog.close();
      return;
    }
    this.build();
    if (!this.dialog.open) this.dialog.showModal();
    find("drawer-body").scrollTop = 0;
    find("drawer-close").focus();
    this.update();
    if (isSameKind) this.parts[0]?.focus?.();
    // A request that fails is repeated at the next tick, and that one shows the lost connection.
    this.askSeries().catch(() => {});
  }

  closed() {
    const isByUser = this.target !== null;
    this.target = null;
    this.clear();
    this.onClose(this.origin, isByUser);
  }

  clear() {
    for (const chart of this.charts?.values() ?? []) chart.clear();
    for (const part of this.parts ?? []) part.clear();
    this.parts = [];
    this.charts = new Map();
    this.item = null;
    this.series = null;
    find("drawer-charts").replaceChildren();
    find("drawer-past").replaceChildren();
    find("drawer-groups").replaceChildren();
    find("drawer-tiles").replaceChildren();
    find("drawer-links").replaceChildren();
  }

  /** The parts of a kind, without figures. */
  build() {
    const kind = KINDS[this.target.kind];
    this.tiles = kind.tiles.map(([title, show]) => {
      const value = element("dd");
      find("drawer-tiles").append(element("div", {}, element("dt", {}, title), value));
      return { show, value };
    });
    this.groups = kind.groups.map((group) => figureList(...group));
    find("drawer-groups").append(...this.groups.map((one) => one.part));
    this.charts = new Map(kind.charts.map(([name, title, format]) => [name, new LineChart(name, title, format)]));
    find("drawer-charts").append(...[...this.charts.values()].map((chart) => chart.figure));
  }

  /** Writes the figures of the last answer. An item that is no longer reported keeps its last figures. */
  update() {
    if (this.target === null) return;
    const kind = KINDS[this.target.kind];
    const reported = last ? kind.item(last, this.target.key) : undefined;
    if (reported) {
      this.item = reported;
      this.time = last.time_unix_seconds;
    }
    const item = this.item;
    find("drawer-missing").hidden = Boolean(reported) || last === null;
    const since = item ? `: the figures are of ${clock(this.time)}` : "";
    write(find("drawer-missing"), `The agent does not report this ${kind.word} now${since}.`);
    write(find("drawer-name"), item ? kind.title(item) : this.target.key.split("\n")[0]);
    write(find("drawer-subtitle"), item ? kind.subtitle(item) : "");
    find("drawer-swatch").style.setProperty("--color", item ? kind.colour(item) : "transparent");
    for (const part of ["drawer-tiles", "drawer-groups"]) find(part).hidden = !item;
    if (!item) return;
    this.addParts(kind);
    for (const part of this.parts) part.update(item, kind);
    for (const { show, value } of this.tiles) write(value, show(item));
    for (const { part, rows, note, explained } of this.groups) {
      if (explained) write(note, explained());
      for (const { show, value, row } of rows) {
        const text = show(item, this.time);
        row.hidden = text === undefined;
        write(value, text ?? "");
      }
      part.hidden = rows.every((one) => one.row.hidden);
    }
    this.link(kind.links(item, last));
    this.drawCharts();
  }

  /** Parts with a history begin when the item is known. */
  addParts(kind) {
    if (this.parts.length > 0) return;
    this.parts = kind.parts(this.target, this.item);
    find("drawer-past").append(...this.parts.map((part) => part.element));
    for (const part of this.parts) part.ask(this.ask);
  }

  link(links) {
    const list = find("drawer-links");
    const keys = links.map(([target, text]) => `${target.key}\t${text}`).join("\n");
    if (list.dataset.keys === keys && list.childElementCount === links.length) return;
    list.dataset.keys = keys;
    list.hidden = links.length === 0;
    list.replaceChildren(...links.map(([target, text]) => {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => this.open(target));
      return element("li", {}, button);
    }));
  }

  /** Requests the power of the last quarter of an hour, and the histories that are due. */
  async askSeries() {
    const target = this.target;
    if (target === null) return;
    const kind = KINDS[target.kind];
    for (const part of this.parts) part.ask(this.ask);
    if (!kind.query) return;
    const answer = await this.ask(`series?${kind.query(target.key)}&range=15m&steps=450`);
    if (this.target !== target) return;
    const line = answer.series.find((one) => kind.isSeries(one, target.key));
    this.series = { times: answer.times_unix_seconds, values: line?.power_watts ?? [] };
    this.drawCharts();
  }

  drawCharts() {
    if (this.target === null || !this.item || this.charts.size === 0) return;
    const recorded = recorder.of(this.target.key);
    const power = this.series ?? { times: [], values: [] };
    // The time before an encode began is no gap.
    const from = power.values.findIndex(known);
    const watts = from < 0 ? { times: [], values: [] } : { times: power.times.slice(from), values: power.values.slice(from) };
    const starts = [watts.times[0], recorded.times[0]].filter(known);
    const span = [Math.min(...starts), Math.max(watts.times.at(-1) ?? 0, recorded.times.at(-1) ?? 0)];
    for (const chart of this.charts.values()) chart.colour = KINDS[this.target.kind].colour(this.item);
    this.charts.get("watts").set(watts.times, watts.values, span);
    this.charts.get("speed")?.set(recorded.times, recorded.speed, span);
    this.charts.get("perFrame")?.set(recorded.times, recorded.perFrame, span);
  }

  /** Anew, in the colours of the theme. */
  redraw() {
    for (const chart of this.charts?.values() ?? []) chart.draw();
    for (const part of this.parts ?? []) part.redraw();
  }
}
