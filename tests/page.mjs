// Scenes of the live page: what it shows, its tables, its connection. See browser.mjs.

import assert from "node:assert/strict";

import { api, column, faults, hasNoSidewaysScroll, isAccessible, keep, play, please, url } from "./browser.mjs";

/** Samples of a metric: [labels, value]. */
function samples(text, metric) {
  return text
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .map((line) => {
      const labels = Object.fromEntries([...line.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((found) => [found[1], found[2]]));
      return [labels, Number(line.slice(line.lastIndexOf(" ") + 1))];
    });
}

const close = (one, other) => Math.abs(one - other) <= 1e-6 + 1e-9 * Math.abs(other);

/** Everything that the page says of a tick is what that tick's metrics say. */
async function agrees(page) {
  for (let round = 0; round < 50; round += 1) {
    const tick = await page.getAttribute("body", "data-tick");
    const shown = {
      workloads: await column(page, "workloads", "energy_joules"),
      transcodes: await column(page, "transcodes", "energy_joules"),
      frames: await column(page, "transcodes", "joules_per_frame"),
      speed: await column(page, "transcodes", "speed_ratio"),
    };
    const text = await (await fetch(new URL("metrics", url))).text();
    const after = await page.getAttribute("body", "data-tick");
    const [[, counted]] = samples(text, "ffwatt_tick_duration_seconds_count");
    if (tick !== after || Number(tick) !== counted) continue;
    const energy = new Map();
    for (const [labels, joules] of samples(text, "ffwatt_workload_energy_joules_total")) {
      if (!["package", "dram"].includes(labels.domain)) continue;
      const key = `${labels.workload}\n${labels.id ?? ""}`;
      energy.set(key, (energy.get(key) ?? 0) + joules);
    }
    for (const [key, joules] of shown.workloads) {
      assert.ok(close(Number(joules), energy.get(key) ?? 0), `${key}: ${joules}, and ${energy.get(key)} in the metrics`);
    }
    for (const [rows, metric] of [
      [shown.transcodes, "ffwatt_transcode_energy_joules_total"],
      [shown.frames, "ffwatt_transcode_joules_per_frame"],
      [shown.speed, "ffwatt_transcode_speed_ratio"],
    ]) {
      const known = new Map(samples(text, metric).map(([labels, value]) => [labels.transcode, value]));
      for (const [key, value] of rows) {
        const expected = known.get(key);
        const isSame = value === undefined ? expected === undefined : close(Number(value), expected);
        assert.ok(isSame, `${metric} of ${key}: ${value}, and ${expected} in the metrics`);
      }
    }
    return shown;
  }
  throw new Error("the page and the metrics were never of one tick");
}

/** Real encodes: what is shown, how it is sorted, filtered and coloured. */
async function real(page) {
  const have = (table, field, count) =>
    page.waitForFunction(([table, field, count]) =>
      document.querySelectorAll(`#${table} tbody [data-field='${field}'][data-value]`).length >= count, [table, field, count]);
  // The encode that has finished is folded.
  await have("transcodes", "speed_ratio", 3);
  await page.click("#transcodes .fold button");
  await have("transcodes", "joules_per_frame", 4);
  await have("transcodes", "vmaf_score", 1);
  await have("scenarios", "vmaf_score", 4);
  await have("scenarios", "energy_joules", 4);
  const shown = await agrees(page);
  assert.ok(shown.transcodes.length >= 2 && shown.workloads.length >= 5);
  assert.match(await page.textContent('[data-finding="energy_is_estimated"]'), /estimated from CPU use/);
  const parts = await page.$$eval("#legend output", (outputs) => outputs.map((output) => parseFloat(output.textContent)));
  const whole = parseFloat(await page.textContent("#host-watts"));
  assert.ok(Math.abs(parts.reduce((sum, part) => sum + part, 0) - whole) < 0.06, `${parts} make ${whole}`);
  await page.waitForSelector("#transcodes .spark canvas");
  // A workload has one colour, wherever it is.
  const colours = await page.$$eval(".name", (names) => names.map((name) => [name.textContent, getComputedStyle(name.firstChild).backgroundColor]));
  const byName = new Map();
  for (const [name, colour] of colours.filter(([name]) => name.startsWith("live-"))) {
    assert.equal(byName.get(name) ?? colour, colour, name);
    byName.set(name, colour);
  }
  assert.equal(byName.size, 3);
  assert.equal(new Set(byName.values()).size, 3);
  await front(page);
  // Where it leads.
  for (const link of await page.$$eval("nav a, noscript a", (links) => links.map((link) => link.href))) {
    if (new URL(link).port === "3000") continue;
    assert.equal((await fetch(link)).status, 200, link);
  }
  // The sources that are down name what helps.
  const helps = await page.$$eval("#sources tbody tr", (rows) => rows.map((row) => row.lastChild.textContent + row.querySelector('[data-field="is_up"]').textContent));
  assert.ok(helps.every((text) => text !== "not available"), helps.join());
  await isAccessible(page, "the page");
  await scored(page);
  await theme(page);
  await phone(page);
}

/** The drawers of a finished encode with scores, and of a live one. */
async function scored(page) {
  await page.click('#transcodes tr.over .name button:text("vod-film")');
  await page.waitForSelector("#drawer[open] #drawer-tiles dd");
  const [one] = (await api("transcodes?running=false&q=vod-film")).items;
  const figures = Object.fromEntries(await page.$$eval("#drawer-groups dl > div:not([hidden])", (rows) =>
    rows.map((row) => [row.querySelector("dt").textContent, row.querySelector("dd").textContent])));
  assert.equal(figures.VMAF, one.vmaf_score.toFixed(1));
  assert.equal(figures["VMAF model"], one.vmaf_model);
  assert.equal(figures.State, "finished");
  assert.equal(figures.Age, undefined);
  await keep(page, "drawer-finished.png", false);
  await page.keyboard.press("Escape");
  await page.click('#transcodes .name button:text("live-h264")');
  await page.waitForSelector('#drawer figure[data-chart="perFrame"] canvas');
  await isAccessible(page, "the drawer of an encode");
  await keep(page, "drawer.png", false);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#drawer:not([open])", { state: "attached" });
}

/** The scenarios: a mark for those that none beats, as the API has it, and a chart. */
async function front(page) {
  await page.waitForSelector("#front canvas");
  const marks = await page.$$eval("#scenarios tbody tr", (rows) => rows.map((row) => [row.dataset.key, row.querySelector('[data-field="is_on_front"]').textContent]));
  const { items } = await api("scenarios");
  assert.ok(items.some((one) => one.is_on_front));
  for (const one of items) {
    const isBeaten = items.some((other) => other !== one && other.energy_joules <= one.energy_joules && other.vmaf_score >= one.vmaf_score);
    assert.equal(one.is_on_front, !isBeaten, one.scenario);
    assert.equal(new Map(marks).get(one.scenario), isBeaten ? "" : "◆", one.scenario);
  }
  if (process.env.FFWATT_PICTURES) {
    // For the README: with a minute of them.
    const tick = Number(await page.getAttribute("body", "data-tick"));
    await page.waitForFunction((until) => Number(document.body.dataset.tick) > until, tick + 75, { timeout: 120_000 });
    await page.click("#transcodes .fold button");
    await keep(page, "readme.png", false);
    await page.click("#transcodes .fold button");
  }
  await keep(page, "page.png");
}

async function theme(page) {
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.emulateMedia({ colorScheme: "dark" });
  // As the system has it, and it may say so a moment later.
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  assert.notEqual(await back(), light);
  await keep(page, "dark.png");
  await page.click("#theme");
  assert.equal(await page.textContent("#theme"), "Theme: light");
  assert.equal(await back(), light);
  await page.reload();
  await page.waitForSelector('body[data-state="live"]');
  assert.equal(await back(), light, "it is remembered");
  await page.emulateMedia({ colorScheme: "light" });
}

async function phone(page) {
  await page.setViewportSize({ width: 390, height: 844 });
  await hasNoSidewaysScroll(page, "on a phone");
  await keep(page, "phone.png");
  await page.setViewportSize({ width: 1360, height: 900 });
}

/** Three hundred containers: the first rows and all, sorted by hand and by keyboard, filtered. */
async function many(page) {
  const rows = () => page.$$eval("#workloads tbody tr", (rows) => rows.length);
  // Without energy, `(other)` has no row.
  const { items } = await api("workloads?per_page=1000");
  const total = items.filter((one) => one.workload !== "(other)").length;
  assert.ok(total >= 300);
  assert.equal(await rows(), 20, "hidden rows are not in the document");
  const isSorted = (values, sign) => values.every((value, index) => index === 0 || sign * (value - values[index - 1]) >= 0);
  const values = async (field) => (await column(page, "workloads", field)).map(([, value]) => Number(value));
  assert.ok(isSorted(await values("power_watts"), -1), "the largest is first");
  await isAccessible(page, "three hundred workloads");
  await keep(page, "many.png", false);
  const head = page.locator('#workloads th[data-field="energy_joules"]');
  await head.locator("button").click();
  assert.equal(await head.getAttribute("aria-sort"), "descending");
  const more = page.locator("#workloads .more button");
  assert.equal(await more.textContent(), `show all (${total})`);
  await more.click();
  assert.equal(await rows(), total);
  const energies = await values("energy_joules");
  assert.ok(isSorted(energies, -1) && energies[150] > 0 && new Set(energies).size > 100, "most are different");
  await isLight(page);
  await isSticky(page);
  await head.locator("button").focus();
  await page.keyboard.press("Enter");
  assert.equal(await head.getAttribute("aria-sort"), "ascending");
  assert.ok(isSorted(await values("energy_joules"), 1));
  await page.locator('#workloads thead th[data-field="workload"] button').click();
  const names = (await column(page, "workloads", "workload")).map(([, name]) => name);
  assert.deepEqual(names, [...names].sort((one, other) => one.localeCompare(other, undefined, { numeric: true })));
  await page.fill("#filter", names.find((name) => /^[0-9a-f]{12}$/.test(name)));
  assert.equal(await rows(), 1);
  assert.match(await page.textContent("#count"), new RegExp(`1 of ${total} workloads`));
  await page.fill("#filter", "no such thing");
  assert.match(await page.textContent("#workloads tbody"), /No row matches/);
  await page.fill("#filter", "");
  await page.uncheck("#pseudo");
  assert.ok((await rows()) >= 300 && (await rows()) < total);
  await more.click();
  assert.equal(await rows(), 20);
}

/** A tick makes no row anew. */
async function isLight(page) {
  const made = await page.evaluate(async () => {
    const tick = document.body.dataset.tick;
    let made = 0;
    const observer = new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node.nodeName === "TD" || node.nodeName === "TH") made += 1;
    });
    const before = new Set(document.querySelectorAll("#workloads tbody tr"));
    observer.observe(document.getElementById("workloads"), { childList: true, subtree: true });
    while (Number(document.body.dataset.tick) < Number(tick) + 3) await new Promise((done) => { setTimeout(done, 50); });
    observer.disconnect();
    return made + [...document.querySelectorAll("#workloads tbody tr")].filter((row) => !before.has(row)).length;
  });
  assert.equal(made, 0, "cells and rows that were made anew in three ticks");
}

/** The heads of a long table stay in sight, in a wide window and in one where the table scrolls sideways. */
async function isSticky(page) {
  for (const width of [1360, 700]) {
    await page.setViewportSize({ width, height: 900 });
    // A table that no longer fits gets its own scroll container a moment later.
    await page.waitForFunction(() => {
      const row = document.querySelectorAll("#workloads tbody tr")[200];
      row.scrollIntoView({ block: "center" });
      const head = document.querySelector('#workloads thead th[data-field="workload"]').getBoundingClientRect();
      const there = document.elementFromPoint(head.left + 5, head.top + head.height / 2);
      const { top, bottom } = row.getBoundingClientRect();
      return top > 0 && bottom < innerHeight && there?.closest("thead");
    });
  }
  await page.setViewportSize({ width: 1360, height: 900 });
}

/** Names that would be markup. */
async function text(page) {
  const names = await page.$$eval("#workloads tbody th", (cells) => cells.map((cell) => cell.textContent));
  assert.ok(names.some((name) => name.includes("<img src=x onerror=")), names.join("\n"));
  assert.equal(await page.$("main img"), null);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  const policy = (await fetch(url)).headers.get("content-security-policy");
  assert.ok(policy.includes("default-src 'none'") && !policy.includes("unsafe"), policy);
  // Not even if it got in: the browser runs none but the page's own. That it says so is right.
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.hacked = 1";
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.ok(faults.length > 0 && faults.every((fault) => fault.includes("Content Security Policy")), faults.join("\n"));
  faults.length = 0;
}

/** The agent goes, and comes back. */
async function lost(page) {
  await page.waitForSelector("#workloads tbody tr[data-key]");
  await please("end");
  await page.waitForSelector('body[data-state="lost"]');
  assert.match(await page.textContent("#status"), /no connection to the agent: the figures are of .*; trying again/);
  assert.ok((await page.$$("#workloads tbody tr[data-key]")).length > 0, "what was known stays");
  await please("begin");
  await page.waitForSelector('body[data-state="live"]');
  const tick = await page.getAttribute("body", "data-tick");
  await page.waitForFunction((tick) => document.body.dataset.tick !== tick, tick);
}

/** The agent answers, and its figures have stopped. */
async function stale(page) {
  await please("stop");
  await page.waitForSelector('body[data-state="stale"]');
  assert.match(await page.textContent("#status"), /the agent has not updated for \d+ s: the figures are of /);
  await keep(page, "stale.png", false);
}

/** Encodes that fall behind have one notice together. */
async function behind(page) {
  await page.waitForFunction(() => {
    const notices = [...document.querySelectorAll('.notice[data-finding="stalled"]')].map((one) => one.textContent);
    return notices.length === 1 && notices[0].startsWith("2 of 3 live encodes are slower than real time.");
  });
  await keep(page, "behind.png");
}

await play({ real, many, text, lost, stale, behind });
