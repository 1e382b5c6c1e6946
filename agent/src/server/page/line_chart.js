// The charts of the drawer: one line over time, in which a time without figures is a gap.
"use strict";

/** More than this many steps between two points is a time without figures: a hidden page, a lost connection, an agent that stopped. */
const GAP_STEPS = 3;

/** Points with an unknown one in each time without figures, so that no line crosses it. */
function withGaps(times, values) {
  const steps = times.slice(1).map((time, index) => time - times[index]).sort((one, other) => one - other);
  const usual = steps[Math.floor(steps.length / 2)] ?? 0;
  const filled = { times: [], values: [] };
  times.forEach((time, index) => {
    const before = times[index - 1];
    if (index > 0 && time - before > GAP_STEPS * usual) {
      filled.times.push((before + time) / 2);
      filled.values.push(null);
    }
    filled.times.push(time);
    filled.values.push(values[index] ?? null);
  });
  return filled;
}

/** Number of times without figures between the first and the last known value. */
function gapsIn(values) {
  const from = values.findIndex(known);
  const inside = values.slice(from, values.findLastIndex(known) + 1);
  return inside.filter((value, index) => !known(value) && known(inside[index - 1])).length;
}

/** Known values without a known neighbour: no line shows them, so they are points. */
function alone(values) {
  const isAlone = (value, index) => known(value) && !known(values[index - 1]) && !known(values[index + 1]);
  return values.map((value, index) => (isAlone(value, index) ? index : -1)).filter((index) => index >= 0);
}

class LineChart {
  constructor(name, title, format) {
    Object.assign(this, { title, format, span: [0, 0], data: { times: [], values: [] }, colour: "var(--accent)" });
    this.hovered = element("span");
    this.summary = element("span", { class: "quiet" });
    this.box = element("div", { class: "chart", role: "img" });
    const caption = element("figcaption", {}, element("b", {}, title), this.summary, this.hovered);
    this.figure = element("figure", { "data-chart": name, hidden: "" }, caption, this.box);
  }

  /** `span` is that of all charts of the drawer, so that one time is in one place; `label` is the text of a time on the axis. */
  set(times, values, span, label = clock) {
    this.span = span;
    this.label = label;
    this.data = withGaps(times, values);
    const all = this.data.values.filter(known);
    this.figure.hidden = all.length === 0;
    if (all.length === 0) return;
    const gaps = gapsIn(this.data.values);
    const from = `${this.format(Math.min(...all))} to ${this.format(Math.max(...all))}`;
    const summary = `${from}${gaps === 0 ? "" : `, ${gaps} ${gaps === 1 ? "gap" : "gaps"}`}`;
    write(this.summary, summary);
    this.point(this.chart?.cursor.idx);
    const now = this.format(this.data.values.at(-1));
    this.box.setAttribute("aria-label", `${this.title} over ${lengthOf(span[1] - span[0])}: ${summary}; now ${now}`);
    if (this.chart) this.chart.setData([this.data.times, this.data.values]);
    else this.draw();
  }

  /** Anew, in the colours of the theme. */
  draw() {
    this.clear();
    if (this.figure.hidden) return;
    const height = 110;
    const stroke = resolved(this.colour);
    const options = {
      width: Math.max(200, Math.floor(this.box.clientWidth)),
      height,
      padding: [6, 28, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { range: () => [Math.min(this.span[0], this.span[1] - SHORTEST_SECONDS), this.span[1]] },
        y: { range: (_, __, top) => [0, Math.max(1e-9, top * 1.1)] },
      },
      axes: [
        { ...axisStyle(), size: 26, space: 80, values: (_, ticks) => ticks.map(this.label) },
        { ...axisStyle(), size: 68, space: 30, values: (_, ticks) => ticks.map((tick) => (tick === 0 ? "0" : this.format(tick))) },
      ],
      series: [{}, {
        stroke,
        width: 1.5,
        spanGaps: false,
        points: { show: true, size: 4, fill: stroke, filter: (chart) => alone(chart.data[1]) },
      }],
      hooks: { setCursor: [(chart) => this.point(chart.cursor.idx)] },
    };
    this.chart = new uPlot(options, [this.data.times, this.data.values], this.box);
    this.observer = observeSize(this.box, this.chart, height);
  }

  /** The value under the pointer. */
  point(index) {
    const time = known(index) ? this.data.times[index] : undefined;
    write(this.hovered, known(time) ? `${this.format(this.data.values[index])} at ${clock(time)}` : "");
  }

  clear() {
    this.observer?.disconnect();
    this.chart?.destroy();
    this.chart = undefined;
  }
}
