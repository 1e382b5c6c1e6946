// Charts with uPlot: the host's power by part, a line for each row, and quality by energy.
"use strict";

/** A chart of less than a minute would be read as one of ten. */
const SHORTEST_SECONDS = 60;

/** From the bottom up. */
const PARTS = ["idle", "system", "services", "containers", "unattributed"];
const PART_NAMES = {
  idle: "idle power",
  system: "system and kernel",
  services: "services",
  containers: "containers",
  workloads: "containers and services",
  unattributed: "unattributed",
};

const axisStyle = () => ({
  stroke: resolved("var(--quiet)"),
  grid: { stroke: resolved("var(--line)"), width: 1 },
  ticks: { show: false },
  font: "12px system-ui, sans-serif",
});

function observeSize(element, chart, height) {
  const observer = new ResizeObserver(() => {
    const width = Math.floor(element.clientWidth);
    if (width > 0 && width !== chart.width) chart.setSize({ width, height });
  });
  observer.observe(element);
  return observer;
}

/** The stacked power of the host. A time without figures is a gap. */
class PowerChart {
  /** `parts` from the bottom up; `label` is the text of a time on the axis. */
  constructor(element, onHover, { parts = PARTS, height = 200, label = clock, steps = [5, 10, 15, 30, 60, 120, 300] } = {}) {
    Object.assign(this, { element, onHover, parts, height, label, steps, series: { times_unix_seconds: [], series: [] } });
    this.draw();
  }

  /** Anew, in the colours of the theme. */
  draw() {
    this.clear();
    const height = this.height;
    // The sum of all is painted first, and what is below it over it.
    const layer = (part) => ({
      label: part,
      width: 0,
      fill: resolved(`var(--${part === "workloads" ? "containers" : part})`),
      points: { show: false },
    });
    const options = {
      width: Math.max(200, Math.floor(this.element.clientWidth)),
      height,
      padding: [8, 8, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, first, end) => [Math.min(first, end - SHORTEST_SECONDS), end] },
        y: { range: (_, __, top) => [0, Math.max(0.1, top * 1.08)] },
      },
      axes: [{ ...axisStyle(), size: 26, incrs: this.steps, space: 80, values: (_, ticks) => ticks.map(this.label) }, { ...axisStyle(), size: 56, values: (_, ticks) => ticks.map((tick) => `${+tick.toFixed(3)} W`) }],
      series: [{}, ...[...this.parts].reverse().map(layer)],
      hooks: { setCursor: [(chart) => this.onHover(this.at(chart.cursor.idx))] },
    };
    this.chart = new uPlot(options, this.stacked(), this.element);
    this.observer = observeSize(this.element, this.chart, height);
  }

  set(series) {
    this.series = series;
    this.chart.setData(this.stacked());
  }

  /** The watts of each part at a step, and their total; nothing where there is none. */
  at(index) {
    const time = known(index) ? this.data[0][index] : undefined;
    const place = this.series.times_unix_seconds.indexOf(time);
    if (place < 0) return null;
    const parts = Object.fromEntries(this.series.series.map((one) => [one.part, one.power_watts[place]]));
    const all = Object.values(parts).filter(known);
    return { time, parts, total: all.length === 0 ? undefined : all.reduce((sum, watts) => sum + watts, 0) };
  }

  stacked() {
    const times = this.series.times_unix_seconds;
    const sum = times.map((_, index) => (this.series.series.some((one) => known(one.power_watts[index])) ? 0 : null));
    const layers = this.parts.map((part) => {
      const values = this.series.series.find((one) => one.part === part)?.power_watts ?? [];
      times.forEach((_, index) => { if (known(sum[index])) sum[index] += values[index] ?? 0; });
      return [...sum];
    });
    this.data = [withGaps(times, times).times, ...layers.reverse().map((layer) => withGaps(times, layer).values)];
    return this.data;
  }

  clear() {
    this.observer?.disconnect();
    this.chart?.destroy();
    this.chart = undefined;
  }
}

/** The next larger of the numbers 1, 1.5, 2, 3, 5, 7 and their multiples by ten: a scale that rarely changes. */
function scaleTop(value) {
  const size = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  return Number((size * [1, 1.5, 2, 3, 5, 7, 10].find((step) => size * step >= value * 0.9999)).toPrecision(2));
}

/** The lines in the rows of the tables: drawn where they can be seen. All rows of a table share one scale. */
class Sparklines {
  constructor() {
    this.cells = new Map();
    this.lines = { times: [], values: new Map() };
    this.tops = new Map();
    this.scales = new Map();
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const cell = this.cells.get(entry.target);
        if (!cell) continue;
        cell.isSeen = entry.isIntersecting;
        this.draw(entry.target, cell);
      }
    }, { rootMargin: "1000px" });
  }

  add(element, key, colour, table) {
    this.cells.set(element, { key, colour, table, isSeen: false });
    this.observer.observe(element);
  }

  remove(element) {
    this.observer.unobserve(element);
    this.cells.get(element)?.chart?.destroy();
    this.cells.delete(element);
  }

  set(times, values) {
    this.lines = { times, values };
    this.tops = new Map([...values].map(([key, line]) => [key, Math.max(0, ...line)]));
    this.rescale();
    for (const [element, cell] of this.cells) this.draw(element, cell);
  }

  /** Sets the scale of each table by its rows, and draws the rows of a table whose scale changed. */
  rescale() {
    const highest = new Map();
    for (const { key, table } of this.cells.values()) {
      if (this.tops.has(key)) highest.set(table, Math.max(highest.get(table) ?? 0, this.tops.get(key)));
    }
    for (const [table, value] of highest) {
      const top = scaleTop(value);
      if (this.scales.get(table) === top) continue;
      this.scales.set(table, top);
      table.showScale(top);
      for (const [element, cell] of this.cells) if (cell.table === table) this.draw(element, cell);
    }
  }

  redraw() {
    for (const [element, cell] of this.cells) {
      cell.chart?.destroy();
      cell.chart = undefined;
      this.draw(element, cell);
    }
  }

  draw(element, cell) {
    const values = this.lines.values.get(cell.key);
    if (!cell.isSeen || !values) return;
    const data = [this.lines.times, values];
    if (cell.chart) {
      cell.chart.setData(data);
      return;
    }
    const stroke = resolved(cell.colour);
    const options = {
      width: 104,
      height: 22,
      padding: [2, 1, 1, 1],
      legend: { show: false },
      cursor: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { y: { range: () => [0, this.scales.get(cell.table) ?? 1] } },
      series: [{}, { stroke, width: 1.5, points: { show: false }, spanGaps: false }],
    };
    cell.chart = new uPlot(options, data, element);
  }
}

/** Quality against energy, the front joined by a line. */
class FrontChart {
  constructor(element) {
    Object.assign(this, { element, scenarios: [] });
  }

  set(scenarios) {
    const points = scenarios.filter((one) => known(one.energy_joules) && known(one.vmaf_score));
    points.sort((one, other) => one.energy_joules - other.energy_joules);
    if (JSON.stringify(points) === JSON.stringify(this.scenarios)) return;
    this.scenarios = points;
    this.draw();
  }

  draw() {
    this.observer?.disconnect();
    this.chart?.destroy();
    this.chart = undefined;
    this.element.hidden = this.scenarios.length === 0;
    if (this.scenarios.length === 0) return;
    const height = 260;
    const axis = (label) => ({ ...axisStyle(), label, labelSize: 20, labelFont: "12px system-ui, sans-serif" });
    const options = {
      width: Math.max(200, Math.floor(this.element.clientWidth)),
      height,
      padding: [14, 24, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: (_, low, high) => [0, Math.max(high, 0.001) * 1.15] },
        y: { range: (_, low, high) => [Math.max(0, low - Math.max(1, (high - low) * 0.15)), Math.min(100.5, high + Math.max(0.5, (high - low) * 0.1))] },
      },
      axes: [{ ...axis("joules"), size: 26 }, { ...axis("VMAF"), size: 44 }],
      series: [
        {},
        { points: { show: false }, paths: () => null },
        { stroke: resolved("var(--quiet)"), width: 1, dash: [4, 4], points: { show: false }, spanGaps: true },
      ],
      hooks: { draw: [(chart) => this.label(chart)] },
    };
    const column = (field) => this.scenarios.map(field);
    const data = [
      column((one) => one.energy_joules),
      column((one) => one.vmaf_score),
      column((one) => (one.is_on_front ? one.vmaf_score : null)),
    ];
    this.chart = new uPlot(options, data, this.element);
    this.observer = observeSize(this.element, this.chart, height);
  }

  label(chart) {
    const { ctx } = chart;
    const scale = uPlot.pxRatio;
    const right = chart.bbox.left + chart.bbox.width;
    ctx.save();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    for (const one of this.scenarios) {
      const [x, y] = [chart.valToPos(one.energy_joules, "x", true), chart.valToPos(one.vmaf_score, "y", true)];
      const size = (one.is_on_front ? 5 : 4) * scale;
      ctx.fillStyle = resolved(colourOf(one.scenario));
      ctx.beginPath();
      if (one.is_on_front) {
        ctx.moveTo(x, y - size);
        ctx.lineTo(x + size, y);
        ctx.lineTo(x, y + size);
        ctx.lineTo(x - size, y);
      } else {
        ctx.arc(x, y, size, 0, 2 * Math.PI);
      }
      ctx.fill();
      const text = one.scenario.length > 24 ? `${one.scenario.slice(0, 23)}…` : one.scenario;
      const isLeft = x + size + 4 * scale + ctx.measureText(text).width > right;
      ctx.textAlign = isLeft ? "right" : "left";
      ctx.fillStyle = resolved("var(--text)");
      ctx.fillText(text, x + (isLeft ? -1 : 1) * (size + 4 * scale), y);
    }
    ctx.restore();
  }
}
