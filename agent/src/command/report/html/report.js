// The plots of a report: VMAF over bitrate and over energy, with uPlot. The document is complete without them.
"use strict";

const plots = JSON.parse(document.getElementById("plots").textContent);

/** Ratio of the ends of a logarithmic axis to its first and last point. */
const MARGIN = 1.15;

/** Steps within a decade, from coarse to fine. */
const STEPS = [[1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8], Array.from({ length: 45 }, (_, index) => 1 + index / 5)];

/** Size on a screen and on paper: A4 less its margins, at 96 dots an inch. */
const SCREEN_HEIGHT = 320;
const PAPER = [660, 260];

const DASHES = [[], [8, 4], [2, 3]];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (value) => String(Number(value.toPrecision(3)));

/** Ticks of a logarithmic axis: four or more where the steps allow it. */
function ticks(low, high) {
  let found = [];
  for (const steps of STEPS) {
    found = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.ceil(Math.log10(high)); decade += 1) {
      found.push(...steps.map((step) => Number((step * 10 ** decade).toPrecision(6))));
    }
    found = found.filter((tick) => tick >= low && tick <= high);
    if (found.length >= 4) return found;
  }
  return found;
}

class Plot {
  constructor(figure, plot) {
    Object.assign(this, { figure, plot });
    this.box = figure.querySelector(".chart");
    this.readout = figure.querySelector(".readout");
    this.points = plot.curves.flatMap((curve) => curve.points.map((point) => ({ ...point, curve })));
  }

  draw(width, height) {
    this.chart?.destroy();
    const { curves, label } = this.plot;
    const [xs, ys] = [this.points.map((point) => point.cost), this.points.map((point) => point.vmaf)];
    const [low, high] = [Math.min(...ys), Math.max(...ys)];
    const pad = Math.max(1, (high - low) * 0.08);
    const text = "12px system-ui, sans-serif";
    const axis = (own) => ({
      stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false },
      font: text, labelFont: text, labelSize: 22, ...own,
    });
    const series = curves.map((curve) => ({
      stroke: colour(`--c${curve.colour}`), width: 1.5, dash: DASHES[curve.dash], spanGaps: true, points: { show: false },
    }));
    const hull = { stroke: colour("--text"), width: 1, dash: [3, 3], spanGaps: true, points: { show: false } };
    const options = {
      width: Math.max(280, Math.floor(width)),
      height,
      padding: [12, 16, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, distr: 3, range: () => [Math.min(...xs) / MARGIN, Math.max(...xs) * MARGIN] },
        y: { range: () => [Math.max(0, low - pad), Math.min(101, high + pad)] },
      },
      axes: [
        axis({ label, size: 28, splits: (_, __, from, to) => ticks(from, to), filter: (_, splits) => splits, values: (_, splits) => splits.map(short) }),
        axis({ label: "VMAF", size: 44 }),
      ],
      series: [{}, hull, ...series],
      hooks: { draw: [(chart) => this.mark(chart)] },
    };
    const lines = [this.points.filter((point) => point.isOnHull), ...curves.map((curve) => curve.points)];
    const columns = lines.map((line) => {
      const sorted = [...line].sort((one, other) => one.cost - other.cost);
      return [sorted.map((point) => point.cost), sorted.map((point) => point.vmaf)];
    });
    this.chart = new uPlot(options, uPlot.join(columns), this.box);
    this.chart.over.addEventListener("mousemove", (event) => this.point(event.offsetX, event.offsetY));
    this.chart.over.addEventListener("mouseleave", () => { this.readout.textContent = ""; });
    this.figure.dataset.drawn = String(this.points.length);
  }

  /** The points, with their intervals; a ring around those of the hull. */
  mark(chart) {
    const { ctx } = chart;
    const scale = uPlot.pxRatio;
    ctx.save();
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
    ctx.clip();
    for (const { cost, vmaf, margin, isOnHull, curve } of this.points) {
      const [x, y] = [chart.valToPos(cost, "x", true), chart.valToPos(vmaf, "y", true)];
      ctx.strokeStyle = ctx.fillStyle = colour(`--c${curve.colour}`);
      ctx.lineWidth = scale;
      if (margin > 0) {
        const from = cost > margin ? chart.valToPos(cost - margin, "x", true) : chart.bbox.left;
        const to = chart.valToPos(cost + margin, "x", true);
        ctx.beginPath();
        for (const end of [from, to]) {
          ctx.moveTo(end, y - 4 * scale);
          ctx.lineTo(end, y + 4 * scale);
        }
        ctx.moveTo(from, y);
        ctx.lineTo(to, y);
        ctx.stroke();
      }
      ctx.beginPath();
      ctx.arc(x, y, 3 * scale, 0, 2 * Math.PI);
      ctx.fill();
      if (isOnHull) {
        ctx.strokeStyle = colour("--text");
        ctx.lineWidth = 1.5 * scale;
        ctx.beginPath();
        ctx.arc(x, y, 5.5 * scale, 0, 2 * Math.PI);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  /** The point next to the pointer. */
  point(x, y) {
    const distance = (point) =>
      Math.hypot(this.chart.valToPos(point.cost, "x") - x, this.chart.valToPos(point.vmaf, "y") - y);
    const nearest = this.points.reduce((one, other) => (distance(other) < distance(one) ? other : one));
    const margin = nearest.margin > 0 ? ` ± ${short(nearest.margin)}` : "";
    this.readout.textContent = distance(nearest) > 40
      ? ""
      : `${nearest.name}: VMAF ${nearest.vmaf.toFixed(2)}, ${short(nearest.cost)}${margin} ${this.plot.unit}`;
  }
}

const all = [...document.querySelectorAll("figure[data-plot]")].map((figure) => new Plot(figure, plots[figure.dataset.plot]));
const drawAll = () => all.forEach((plot) => plot.draw(plot.box.clientWidth, SCREEN_HEIGHT));

drawAll();
// Only the width: drawing changes the height.
let width = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth === width || document.documentElement.dataset.print === "") return;
  width = document.body.clientWidth;
  drawAll();
}).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("beforeprint", () => {
  document.documentElement.dataset.print = "";
  all.forEach((plot) => plot.draw(...PAPER));
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.print;
  drawAll();
});
