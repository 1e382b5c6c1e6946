// The panels of pictures.mjs: each kind of panel that the dashboards have.
"use strict";

/** Grafana's classic palette, and its names of colours. */
const PALETTE = ["#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#37872d", "#e0b400", "#3274d9", "#c4162a", "#8f3bb8"];
const NAMED = { green: "#73bf69", yellow: "#fade2a", red: "#f2495c" };

/** Most lines of a legend, and rows of a table. */
const MOST = { timeseries: 4, bargauge: 10, piechart: 8, table: 12 };

const SIGNS = { USD: "$", EUR: "€", GBP: "£", JPY: "¥" };

const make = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
};

const digits = (value) => {
  const size = Math.abs(value);
  if (size === 0) return "0";
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size >= 1 ? value.toFixed(2) : Number(value.toPrecision(3)).toString();
};

const scaled = (value, unit, factors) => {
  if (value === 0) return `0 ${unit}`;
  const [factor, prefix] = factors.find(([factor]) => Math.abs(value) >= factor) ?? factors.at(-1);
  return `${digits(value / factor)} ${prefix}${unit}`.trim();
};
const SI = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"]];
const THOUSANDS = [[1e9, " Bil"], [1e6, " Mil"], [1e3, " K"], [0, ""]];
const BINARY = [[2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"], [0, ""]];
const LENGTHS = [[86_400, " day"], [3600, " hour"], [60, " min"], [1, " s"], [1e-3, " ms"], [0, " µs"]];

/** A value in a unit of Grafana. */
function shown(value, unit, legend = "") {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return "∞";
  const currency = Object.keys(SIGNS).find((code) => new RegExp(`\\b${code}\\b`).test(legend));
  const formats = {
    watt: () => scaled(value, "W", SI),
    joule: () => scaled(value, "J", SI),
    watth: () => scaled(value, "Wh", SI),
    kwatth: () => scaled(value * 1000, "Wh", SI),
    ops: () => `${digits(value)} ops/s`,
    percent: () => `${digits(value)} %`,
    percentunit: () => `${digits(value * 100)} %`,
    bytes: () => scaled(value, "B", BINARY),
    kbytes: () => scaled(value * 1024, "B", BINARY),
    massg: () => scaled(value, "g", SI),
    masskg: () => scaled(value * 1000, "g", SI),
    dB: () => `${digits(value)} dB`,
    s: () => { const [factor, word] = LENGTHS.find(([factor]) => Math.abs(value) >= factor); return value === 0 ? "0 s" : `${digits(value / (factor || 1e-6))}${word}`; },
    bool_yes_no: () => (value === 0 ? "No" : "Yes"),
    short: () => { const [factor, word] = THOUSANDS.find(([factor]) => Math.abs(value) >= factor); return `${digits(value / (factor || 1))}${word}`; },
    "currency:¤": () => `${currency ? SIGNS[currency] : "¤"}${digits(value)}`,
  };
  return (formats[unit] ?? (() => digits(value)))();
}

const lastOf = (one) => one.points.at(-1)?.[1];
const palette = (place) => PALETTE[place % PALETTE.length];

function thresholdColour(panel, value) {
  const step = panel.thresholds.filter((one) => one.value === null || value >= one.value).at(-1);
  return NAMED[step?.color] ?? NAMED.green;
}

const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

function uplot(box, panel, all, { stacked = false, isBare = false } = {}) {
  const times = [...new Set(all.flatMap((one) => one.points.map(([time]) => time)))].sort((one, other) => one - other);
  const rows = all.map((one) => {
    const values = new Map(one.points);
    return times.map((time) => values.get(time) ?? null);
  });
  const drawn = stacked ? rows.map((_, place) => times.map((_, index) => rows.slice(0, place + 1).reduce((sum, row) => sum + (row[index] ?? 0), 0))) : rows;
  const fill = (colour) => `${colour}${stacked ? "99" : isBare ? "33" : "14"}`;
  const lines = drawn.map((values, place) => {
    const colour = isBare ? panel.colour : palette(all[place].place);
    return { values, options: { stroke: colour, fill: fill(colour), width: isBare ? 1.5 : 1, points: { show: false }, spanGaps: false } };
  });
  if (stacked) lines.reverse();
  const axis = { stroke: "#9fa1ab", grid: { stroke: "rgba(204,204,220,.07)", width: 1 }, ticks: { show: false }, font: "11px DejaVu Sans" };
  const finite = drawn.flat().filter((value) => value !== null && Number.isFinite(value));
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const least = panel.min ?? (stacked || isBare || low >= 0 && low < high / 2 ? Math.min(0, low) : low - (high - low || Math.abs(high) || 1) * 0.2);
  const most = panel.max ?? high + ((high - least) || 1) * 0.1;
  const unit = panel.unit;
  const options = {
    width: box.clientWidth,
    height: Math.max(30, box.clientHeight),
    legend: { show: false },
    cursor: { show: false },
    padding: isBare ? [0, 0, 0, 0] : [6, 10, 0, 0],
    scales: { x: { time: false }, y: { range: () => [least, most] } },
    axes: isBare ? [{ show: false }, { show: false }] : [
      { ...axis, size: 24, space: 90, values: (_, ticks) => ticks.map(clock), incrs: [10, 30, 60, 120, 300, 600, 1200, 3600] },
      { ...axis, size: 64, space: 28, values: (_, ticks) => ticks.map((tick) => shown(tick, unit, all[0]?.legend)) },
    ],
    series: [{}, ...lines.map((line) => line.options)],
  };
  new uPlot(options, [times, ...lines.map((line) => line.values)], box);
}

function legendTable(panel, all, heads, cells) {
  const rows = all.map((one) => {
    const mark = make("span", { class: "mark" });
    mark.style.background = palette(one.place);
    return make("tr", {}, make("td", {}, mark, one.legend), ...cells(one).map((text) => make("td", {}, text)));
  });
  return make("table", { class: "legend" }, make("tr", {}, ...heads.map((head) => make("th", {}, head))), ...rows);
}

const KINDS = {
  timeseries(panel, body) {
    const all = panel.series.map((one, place) => ({ ...one, place })).filter((one) => one.points.length > 0);
    const most = (one) => Math.max(...one.points.map(([, value]) => value).filter((value) => Number.isFinite(value)));
    const listed = [...all].sort((one, other) => (lastOf(other) ?? 0) - (lastOf(one) ?? 0)).slice(0, MOST.timeseries);
    const box = make("div");
    box.style.cssText = "flex:1;min-height:0";
    body.append(box, legendTable(panel, listed, ["Name", "Last *", "Max"], (one) => [shown(lastOf(one), panel.unit, one.legend), shown(most(one), panel.unit, one.legend)]));
    uplot(box, panel, all, { stacked: panel.stacked });
  },
  stat(panel, body) {
    const one = panel.series[0];
    const colour = thresholdColour(panel, lastOf(one));
    const value = make("div", { class: "stat" }, panel.series.map((one) => shown(lastOf(one), panel.unit, one.legend)).slice(0, 2).join("  "));
    value.style.color = colour;
    const box = make("div", { class: "area" });
    body.append(value, box);
    // Grafana fits the text, too.
    if (value.scrollWidth > body.clientWidth) value.style.fontSize = `${Math.floor((34 * body.clientWidth) / value.scrollWidth)}px`;
    if (one.points.length > 1 && panel.unit !== "bool_yes_no") uplot(box, { ...panel, colour, min: undefined, max: undefined }, [{ ...one, place: 0 }], { isBare: true });
  },
  gauge(panel, body) {
    const value = lastOf(panel.series[0]);
    const steps = panel.thresholds.map((one) => one.value).filter((value) => value !== null);
    const [low, high] = [panel.min ?? 0, panel.max ?? Math.max(value * 1.25, ...steps.map((step) => step * 1.25))];
    const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
    const arc = (from, to, radius, width, colour) => {
      const point = (part) => { const angle = Math.PI * (0.85 + 1.3 * part); return `${110 + radius * Math.cos(angle)} ${100 + radius * Math.sin(angle)}`; };
      return `<path d="M ${point(from)} A ${radius} ${radius} 0 ${(to - from) * 1.3 > 1 ? 1 : 0} 1 ${point(to)}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
    };
    const bounds = [low, ...steps, high].map((step) => Math.min(1, Math.max(0, (step - low) / (high - low))));
    const rim = panel.thresholds.map((one, place) => arc(bounds[place], bounds[place + 1], 92, 5, NAMED[one.color])).join("");
    const colour = thresholdColour(panel, value);
    body.innerHTML = `<svg viewBox="0 0 220 170" style="width:100%;height:100%">${arc(0, 1, 76, 22, "#22252b")}${arc(0, share, 76, 22, colour)}${rim}
      <text x="110" y="112" text-anchor="middle" font-size="27" font-weight="500" fill="${colour}">${shown(value, panel.unit, panel.series[0].legend)}</text></svg>`;
  },
  bargauge(panel, body) {
    const all = panel.series.filter((one) => Number.isFinite(lastOf(one))).sort((one, other) => lastOf(other) - lastOf(one)).slice(0, MOST.bargauge);
    const most = panel.max ?? Math.max(...all.map(lastOf));
    const least = Math.min(0, ...all.map(lastOf));
    const rows = all.flatMap((one, place) => {
      const colour = panel.thresholds.length > 1 ? thresholdColour(panel, lastOf(one)) : palette(place);
      const bar = make("div", { class: "bar" });
      bar.style.cssText = `width:${(100 * (lastOf(one) - least)) / ((most - least) || 1)}%;background:${colour}cc`;
      const value = make("div", { class: "value" }, shown(lastOf(one), panel.unit, one.legend));
      value.style.color = colour;
      return [make("div", { class: "name" }, one.legend), make("div", { class: "track" }, bar), value];
    });
    body.append(make("div", { class: "bars" }, ...rows));
  },
  piechart(panel, body) {
    const all = panel.series.map((one, place) => ({ ...one, place })).filter((one) => lastOf(one) > 0).slice(0, MOST.piechart);
    const whole = all.reduce((sum, one) => sum + lastOf(one), 0);
    let from = 0;
    const parts = all.map((one) => {
      const share = lastOf(one) / whole;
      const part = `<circle r="33" cx="50" cy="50" fill="none" stroke="${palette(one.place)}" stroke-width="22" pathLength="100" stroke-dasharray="${Math.max(0, share * 100 - 0.6)} 100" stroke-dashoffset="${-from * 100}" transform="rotate(-90 50 50)"/>`;
      from += share;
      return part;
    });
    const pie = make("div", { class: "pie" });
    pie.innerHTML = `<svg viewBox="0 0 100 100">${parts.join("")}</svg>`;
    pie.append(legendTable(panel, all, ["Name", "Value", "Percent"], (one) => [shown(lastOf(one), panel.unit, one.legend), `${((100 * lastOf(one)) / whole).toFixed(0)} %`]));
    body.append(pie);
  },
  table(panel, body) {
    const rows = new Map();
    // Rows are merged by the labels that all queries have.
    const names = panel.queries.filter((query) => query.length > 0).map((query) => Object.keys(query[0].labels));
    const common = (names[0] ?? []).filter((name) => name !== "__name__" && names.every((all) => all.includes(name)));
    panel.queries.forEach((query, place) => {
      for (const one of query) {
        const key = JSON.stringify(common.map((name) => one.labels[name]));
        if (!rows.has(key)) rows.set(key, { labels: {}, values: {} });
        Object.assign(rows.get(key).labels, one.labels);
        const letter = panel.queries.length === 1 ? "Value" : `Value #${String.fromCharCode(65 + place)}`;
        rows.get(key).values[letter] = lastOf(one);
      }
    });
    const columns = panel.fields.filter((one) => [...rows.values()].some((row) => one.field in row.values || one.field in row.labels));
    const isNumber = (one) => one.field.startsWith("Value");
    const cell = (row, one) => (isNumber(one) ? shown(row.values[one.field], one.unit, Object.values(row.labels).join(" ")) : row.labels[one.field] ?? "");
    const head = make("tr", {}, ...columns.map((one) => make("th", { class: isNumber(one) ? "number" : "" }, one.title)));
    const lines = [...rows.values()].slice(0, MOST.table).map((row) => make("tr", {}, ...columns.map((one) => make("td", { class: isNumber(one) ? "number" : "" }, cell(row, one)))));
    body.append(make("table", { class: "data" }, head, ...lines));
  },
  xychart(panel, body) {
    const name = (one) => [one.labels.scenario, one.labels.instance].filter(Boolean).join(" ");
    const up = new Map(panel.queries[1].map((one) => [name(one), lastOf(one)]));
    const all = panel.queries[0].map((one) => ({ name: one.labels.scenario ?? name(one), x: lastOf(one), y: up.get(name(one)), labels: one.labels }))
      .filter((one) => Number.isFinite(one.x) && Number.isFinite(one.y));
    const [width, height, left, low] = [body.clientWidth, body.clientHeight, 60, 42];
    const most = Math.max(...all.map((one) => one.x)) * 1.15;
    const [bottom, top] = [Math.min(...all.map((one) => one.y)) - 2, Math.max(...all.map((one) => one.y)) + 2];
    const x = (value) => left + ((width - left - 20) * value) / most;
    const y = (value) => 8 + (height - low - 8) * (1 - (value - bottom) / (top - bottom));
    const ticks = [0, 0.25, 0.5, 0.75, 1];
    const [across, upward] = [panel.fields.find((one) => one.field === "Value #A"), panel.fields.find((one) => one.field === "Value #B")];
    const legend = Object.values(all[0]?.labels ?? {}).join(" ");
    const grid = ticks.map((part) => `<line x1="${left}" x2="${width - 20}" y1="${y(bottom + part * (top - bottom))}" y2="${y(bottom + part * (top - bottom))}" stroke="#25282e"/>
      <text x="${left - 8}" y="${y(bottom + part * (top - bottom)) + 4}" text-anchor="end">${(bottom + part * (top - bottom)).toFixed(1)}</text>
      <text x="${x(part * most)}" y="${height - 24}" text-anchor="middle">${shown(part * most, across?.unit ?? "none", legend)}</text>`).join("");
    const points = all.map((one, place) => `<circle cx="${x(one.x)}" cy="${y(one.y)}" r="6" fill="${palette(place)}"/>
      <text x="${x(one.x) + (x(one.x) > width * 0.7 ? -10 : 10)}" y="${y(one.y) + 4}" text-anchor="${x(one.x) > width * 0.7 ? "end" : "start"}" fill="#ccccdc">${one.name.replace(/[<&]/g, "")}</text>`).join("");
    body.innerHTML = `<svg width="${width}" height="${height}" font-size="11" fill="#9fa1ab">${grid}${points}
      <text x="${(left + width) / 2}" y="${height - 5}" text-anchor="middle">${across?.title ?? ""}</text><text x="12" y="${height / 2 - 10}" text-anchor="middle" transform="rotate(-90 12 ${height / 2 - 10})">${upward?.title ?? ""}</text></svg>`;
  },
};

window.draw = (dashboard) => {
  const ends = dashboard.panels.flatMap((panel) => panel.series.flatMap((one) => one.points.map(([time]) => time)));
  const span = Math.round((Math.max(...ends) - Math.min(...ends)) / 60);
  const grid = make("div", { class: "grid" });
  document.body.append(make("div", { id: "board" }, make("div", { class: "top" }, make("b", {}, dashboard.title), make("span", {}, span > 90 ? `Last ${Math.round(span / 60)} hours` : `Last ${span} minutes`)), grid));
  for (const panel of dashboard.panels) {
    const body = make("div", { class: "body" });
    const box = make("div", { class: "panel" }, make("div", { class: "title" }, panel.title), body);
    box.style.cssText = `grid-column:${panel.x + 1}/span ${panel.w};grid-row:${panel.y + 1}/span ${panel.h};height:${panel.h * 36 - 8}px`;
    grid.append(box);
    if (!["timeseries", "stat"].includes(panel.type)) {
      // What is asked for now, and not over time, has no series that have ended.
      const isNow = (one) => (one.points.at(-1)?.[0] ?? 0) > Math.max(...ends) - 15;
      panel.series = panel.series.filter(isNow);
      panel.queries = panel.queries.map((query) => query.filter(isNow));
    }
    const hasData = panel.series.some((one) => one.points.length > 0);
    if (hasData) KINDS[panel.type](panel, body);
    else body.append(make("div", { class: "empty" }, "no data yet"));
  }
};
