// Scenes of the rows, the drawers and the address of the live page, with forty encoders. See browser.mjs.

import assert from "node:assert/strict";

import { api, column, faults, hasNoSidewaysScroll, isAccessible, keep, play, url } from "./browser.mjs";

const RUNNING = 24;
const FINISHED = 16;

/** The process that posts progress. */
const POSTS = "5007";

const rowsOf = (page, table) => page.$$eval(`#${table} tbody tr[data-key]`, (rows) =>
  rows.map((row) => [row.dataset.key, row.classList.contains("over")]));

/** Whether rows are running ones first, then finished ones. */
const isRunningFirst = (rows) => rows.every(([, isOver], index) => index === 0 || isOver || !rows[index - 1][1]);

const isOpen = (page) => page.waitForFunction(() => document.querySelector("#drawer[open] #drawer-name:not(:empty)"));
/** The dialog closes first; the address follows, and a reload before that would open the drawer again. */
const isClosed = (page) => page.waitForFunction(() => {
  const words = new URLSearchParams(location.hash.slice(1));
  return !document.getElementById("drawer").open && !["encode", "workload", "host"].some((kind) => words.has(kind));
});
const words = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1));
const row = (page, key) => page.locator(`#transcodes tr[data-key="${key}"] .name button`);
const ticks = async (page, count) => {
  const tick = Number(await page.getAttribute("body", "data-tick"));
  await page.waitForFunction((until) => Number(document.body.dataset.tick) >= until, tick + count);
};

/** The encode that posts. */
async function poster() {
  const { items } = await api("transcodes?running=true&per_page=100");
  return items.find((one) => one.transcode.startsWith(`${POSTS}-`));
}

/** The first rows, all rows, finished encodes. */
async function rows(page) {
  const fold = page.locator("#transcodes .fold button");
  const more = page.locator("#transcodes .more button");
  assert.equal((await rowsOf(page, "transcodes")).length, 20);
  assert.ok((await rowsOf(page, "transcodes")).every(([, isOver]) => !isOver));
  assert.equal(await fold.textContent(), `ended: ${FINISHED}`);
  assert.equal(await fold.getAttribute("aria-expanded"), "false");
  assert.equal(await more.textContent(), `show all (${RUNNING})`);
  await more.click();
  assert.equal((await rowsOf(page, "transcodes")).length, RUNNING);
  await fold.click();
  assert.equal(await fold.getAttribute("aria-expanded"), "true");
  const all = await rowsOf(page, "transcodes");
  assert.equal(all.length, RUNNING + FINISHED);
  assert.ok(isRunningFirst(all), "running encodes are first");
  const ends = new Map((await api("transcodes?running=false")).items.map((one) => [one.transcode, one.ended_unix_seconds]));
  const finished = all.filter(([, isOver]) => isOver).map(([key]) => ends.get(key));
  assert.ok(finished.every((end, place) => place === 0 || end <= finished[place - 1]), `the last to end is first: ${finished}`);
  await ticks(page, 2);
  assert.equal((await rowsOf(page, "transcodes")).length, RUNNING + FINISHED, "a tick keeps the choice");
  await more.click();
  assert.equal((await rowsOf(page, "transcodes")).length, 20 + FINISHED);
  await page.locator('#transcodes th[data-field="energy_joules"] button').click();
  assert.ok(isRunningFirst(await rowsOf(page, "transcodes")), "in each order");
  // A short table has no such button.
  assert.ok(await page.locator("#workloads .more").isHidden());
  // The focus stays on its row while rows move and their figures change.
  const key = (await rowsOf(page, "transcodes"))[3][0];
  await row(page, key).focus();
  await page.locator('#transcodes th[data-field="energy_joules"] button').dispatchEvent("click");
  await ticks(page, 1);
  const focused = await page.evaluate(() => document.activeElement.closest("tr")?.parentElement.nodeName);
  assert.equal(focused, "TBODY");
  await isAccessible(page, "unfolded");
  await keep(page, "rows.png", false);
}

/** What the tables and filters show, as a text that can be compared. */
async function shown(page) {
  const heads = await page.$$eval("th[aria-sort]", (heads) => heads.filter((one) => one.getAttribute("aria-sort") !== "none")
    .map((one) => `${one.closest("table").id} ${one.dataset.field} ${one.getAttribute("aria-sort")}`));
  const counts = [(await rowsOf(page, "transcodes")).length, (await rowsOf(page, "workloads")).length];
  return JSON.stringify([heads, counts, await page.inputValue("#filter"), await page.isChecked("#pseudo")]);
}

/** Order, filter, rows and drawer after a reload, in another window, and by the back button. */
async function address(page) {
  assert.equal(new URL(page.url()).hash, "", "the usual view needs no words");
  const usual = await shown(page);
  await page.locator('#transcodes th[data-field="codec"] button').click();
  await page.locator('#workloads th[data-field="energy_joules"] button').click();
  await page.locator("#transcodes .more button").click();
  await page.locator("#transcodes .fold button").click();
  await page.fill("#filter", "libx264");
  await page.uncheck("#pseudo");
  const changed = await shown(page);
  assert.notEqual(changed, usual);
  const link = page.url();
  const again = async (other, what) => {
    await other.waitForFunction((count) => document.querySelectorAll("#transcodes tbody tr[data-key]").length === count, RUNNING + FINISHED);
    assert.equal(await shown(other), changed, what);
  };
  await page.reload();
  await again(page, "after a reload");
  const other = await page.context().newPage();
  await other.goto(link);
  await again(other, "by a link");
  // An open drawer is in the address, too. The back button closes it and changes nothing else.
  const { transcode } = await poster();
  await row(page, transcode).click();
  await isOpen(page);
  assert.equal(words(page).get("encode"), transcode);
  await page.goBack();
  await isClosed(page);
  await again(page, "after the back button");
  assert.equal(page.url(), link);
  await page.goForward();
  await isOpen(page);
  const open = page.url();
  await page.reload();
  await isOpen(page);
  await page.keyboard.press("Escape");
  await isClosed(page);
  await page.waitForFunction((link) => location.href === link, link);
  // In a new window nothing is before the drawer: its end stays on the page.
  await other.goto("about:blank");
  await other.goto(open);
  await isOpen(other);
  await other.click("#drawer-close");
  await isClosed(other);
  await other.waitForFunction((link) => location.href === link, link);
  await again(other, "behind a shared drawer");
  // A jump to the figures, and words that nobody knows.
  await other.focus("#skip");
  await other.keyboard.press("Enter");
  assert.equal(await other.evaluate(() => document.activeElement.id), "main");
  assert.equal(other.url(), link);
  await other.goto("about:blank");
  await other.goto(`${url}#encodes.sort=-nothing&workloads.show=x&%E0%A4%A&encode=1-1`);
  await other.waitForSelector("#drawer[open] #drawer-missing:not([hidden])");
  assert.match(await other.textContent("#drawer-missing"), /does not report this encode now\.$/);
  await isAccessible(other, "the drawer of an encode that nobody knows");
  await other.keyboard.press("Escape");
  await isClosed(other);
  assert.equal(await shown(other), usual);
  assert.equal(new URL(other.url()).hash, "");
  await other.close();
}

/** Title and value of all figures that the drawer shows. */
const figures = (page) => page.$$eval("#drawer dl > div", (all) => Object.fromEntries(all
  .filter((one) => one.checkVisibility())
  .map((one) => [one.querySelector("dt").textContent, one.querySelector("dd").textContent])));

/** Figures of an encode with progress, of one without, and of a workload. */
async function drawers(page) {
  const { transcode } = await poster();
  await page.locator("#transcodes .more button").click();
  await page.waitForSelector(`#transcodes tr[data-key="${transcode}"] [data-field="joules_per_frame"][data-value]`);
  // By click on any cell.
  await page.locator(`#transcodes tr[data-key="${transcode}"] [data-field="energy_joules"]`).click();
  await isOpen(page);
  const dialog = page.getByRole("dialog");
  const one = await poster();
  assert.equal(await dialog.getAttribute("aria-labelledby"), "drawer-title");
  assert.equal(await page.textContent("#drawer-title"), one.workload);
  assert.ok(await page.evaluate(() => document.getElementById("drawer").contains(document.activeElement)), "the focus is in the drawer");
  await page.waitForSelector('#drawer figure[data-chart="speed"] canvas');
  await page.waitForSelector('#drawer figure[data-chart="watts"] canvas');
  await page.waitForSelector('#drawer figure[data-chart="perFrame"] canvas');
  const seen = await figures(page);
  for (const [title, value] of Object.entries({
    PID: POSTS, Program: "ffmpeg", Encoder: "libx264", Standard: "h264", Preset: "fast", Resolution: "640x360", Input: "file", Outputs: "1",
    Renditions: "1 encoded", State: "running", "Dropped frames": "3", "Duplicated frames": "0",
    "Output bitrate": "1.20 Mbit/s", "Frames per second": "30.0",
  })) assert.equal(seen[title], value, title);
  for (const title of ["Power", "Energy", "J/frame", "Age", "Started", "Frames", "Output", "Cost so far", "Cost per hour", "Cost per month", "Energy in kWh", "CO₂e so far", "CPU time", "CPU cores"]) {
    assert.match(seen[title], /\d/, title);
  }
  assert.match(seen.Power, / W$/);
  assert.match(seen.Speed, /^\d\.\d\d×$/);
  // What nobody knows is not there.
  for (const title of ["VMAF", "PSNR", "Exit code", "Ended", "Length", "Scenario", "Requested bitrate", "Not observed for"]) {
    assert.equal(seen[title], undefined, title);
  }
  // The figures are those of the last tick.
  const before = Number(seen.Frames);
  await page.waitForFunction((before) => [...document.querySelectorAll("#drawer dl > div")]
    .some((one) => one.querySelector("dt").textContent === "Frames" && Number(one.querySelector("dd").textContent) > before), before);
  await isAccessible(page, "the drawer of an encode");
  await keep(page, "drawer-encode.png", false);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  await isAccessible(page, "the drawer of an encode, dark");
  await keep(page, "drawer-dark.png", false);
  await page.emulateMedia({ colorScheme: "light" });
  // Tab stays in the drawer.
  for (let press = 0; press < 4; press += 1) {
    await page.keyboard.press("Tab");
    const isInside = await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("#drawer") !== null);
    assert.ok(isInside);
  }
  await page.keyboard.press("Escape");
  await isClosed(page);
  const focused = () => page.evaluate(() => document.activeElement.closest("tr")?.dataset.key);
  await page.waitForFunction((key) => document.activeElement.closest("tr")?.dataset.key === key, transcode);
  // By Enter, on one that posts nothing.
  const silent = (await rowsOf(page, "transcodes")).map(([key]) => key).find((key) => key !== transcode);
  await row(page, silent).focus();
  await page.keyboard.press("Enter");
  await isOpen(page);
  assert.equal(words(page).get("encode"), silent);
  await page.waitForSelector('#drawer figure[data-chart="watts"] canvas');
  const less = await figures(page);
  assert.equal(less.Speed, "–");
  assert.equal(less["J/frame"], "–");
  for (const title of ["Frames", "Dropped frames", "Duplicated frames", "Output bitrate", "VMAF"]) assert.equal(less[title], undefined, title);
  assert.equal(await page.locator('#drawer figure[data-chart="speed"]').isVisible(), false);
  // To its workload and to another encode of it: it is one drawer, and the focus goes back to where it came from.
  await page.locator("#drawer-links button").first().click();
  await page.waitForFunction(() => new URLSearchParams(location.hash.slice(1)).has("workload"));
  await page.waitForSelector('#drawer figure[data-chart="watts"] canvas');
  const { items } = await api("workloads?per_page=100");
  const owner = items.find((other) => other.workload === words(page).get("workload"));
  const workload = await figures(page);
  assert.equal(workload.Id, owner.id);
  assert.equal(workload.Kind, owner.kind);
  assert.match(workload["Uncertainty of the energy"], /^± .* [mµn]?J$/);
  for (const title of ["Power", "Energy", "CPU cores", "CPU time", "Cost so far", "Cost per hour", "CO₂e so far"]) assert.match(workload[title], /\d/, title);
  assert.equal(workload.Image, undefined);
  assert.ok((await page.locator("#drawer-links button").count()) > 5);
  await isAccessible(page, "the drawer of a workload");
  await keep(page, "drawer-workload.png", false);
  await page.goBack();
  await isClosed(page);
  await page.waitForFunction((key) => document.activeElement.closest("tr")?.dataset.key === key, silent);
  assert.equal(await focused(), silent);
  // A click beside it closes it.
  await page.locator('#workloads tbody .name button:text-is("idle")').click();
  await isOpen(page);
  assert.equal((await figures(page)).Kind, "host");
  await page.mouse.click(20, 450);
  await isClosed(page);
  // A finished one.
  await page.locator("#transcodes .fold button").click();
  await page.locator("#transcodes tr.over .name button").first().click();
  await isOpen(page);
  const over = await figures(page);
  assert.match(over.State, /^(finished|stopped|ended)$/);
  assert.equal(over["Cost per hour"], undefined, "it costs nothing more");
  assert.equal(over.Power, "–");
  assert.equal(over.Age, undefined);
  assert.equal(over["CPU cores"], undefined);
  assert.match(over.Length, /\d/);
}

/** The host over a quarter of an hour, a day and a month: power, energy and one cost, which is absent without prices. */
async function host(page) {
  const near = (text, value) => assert.ok(Math.abs(parseFloat(text) - value) <= 0.02 * value + 1e-4, `${text} is not ${value}`);
  const { host, prices } = await api("snapshot");
  const perHour = (host.power_watts / 1000) * prices.per_kilowatt_hour + host.cpu_cores * prices.per_cpu_hour;
  near(String(host.cost_per_hour), perHour);
  assert.match(await page.textContent("#cost"), /^\d+\.\d+ USD\/h · \d+\.\d+ USD\/month$/);
  assert.match(await page.getAttribute("#cost-tile", "title"), /^Cost is energy \(.* USD per kWh\) and machine \(.* USD per hour of one busy CPU\)\./);
  await page.locator("#host-details").click();
  await isOpen(page);
  await page.waitForSelector("#drawer-past canvas");
  assert.equal(words(page).get("host"), "15m");
  const now = await figures(page);
  assert.match(now["Cost per hour"], /^\d+\.\d+ USD \(\S+ energy \+ \S+ machine\)$/);
  assert.equal(now.Observed, undefined);
  await isAccessible(page, "the drawer of the host");
  await keep(page, "drawer-host.png", false);
  const parts = ["workloads", "system", "idle", "unattributed"];
  for (const range of ["24h", "30d"]) {
    await page.locator(`.ranges button[data-range="${range}"]`).click();
    await page.waitForSelector(`.ranges button[data-range="${range}"][aria-pressed="true"]`);
    assert.equal(await page.evaluate(() => document.activeElement.dataset.range), range, "the focus stays");
    await page.waitForSelector("#drawer-past canvas");
    assert.equal(words(page).get("host"), range);
    const past = await api(`history?range=${range}`);
    assert.deepEqual(past.series.map((one) => one.part), parts);
    const energies = past.series.map((one) => one.power_watts.filter((value) => value !== null).length);
    // The agent has run for less than a step: all before is a gap.
    assert.ok(energies.every((count) => count >= 1 && count <= 2), energies.join());
    const seen = await figures(page);
    assert.match(seen.Observed, new RegExp(`^\\d.* of ${range === "24h" ? "24 hours" : "30 days"}$`));
    assert.match(seen.Cost, / USD \(\S+ energy \+ \S+ machine\)$/);
    assert.match(seen["Mean power"], /^\d+\.?\d* W$/);
  }
  const drawn = await page.evaluate(() => drawer.parts[0].chart.chart.data[1].filter((value) => value !== null).length);
  assert.ok(drawn <= 2, `${drawn} steps have a power`);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  await isAccessible(page, "the drawer of the host, dark");
  await keep(page, "drawer-host-dark.png", false);
  await page.emulateMedia({ colorScheme: "light" });
  await page.reload();
  await isOpen(page);
  await page.waitForSelector('.ranges button[data-range="30d"][aria-pressed="true"]');
  await page.setViewportSize({ width: 390, height: 844 });
  await hasNoSidewaysScroll(page, "the host on a phone");
  await keep(page, "drawer-host-phone.png", false);
  await page.setViewportSize({ width: 1360, height: 900 });
  await page.keyboard.press("Escape");
  await isClosed(page);
  await page.waitForFunction(() => document.activeElement.id === "host-details");
  await earlier(page);
  await unpriced(page);
  await docs(page);
}

/** Encodes of the same workload that are over, from the ledger, and what is shown without a ledger. */
async function earlier(page) {
  const { transcode, workload } = await poster();
  const { items } = await api(`history/transcodes?workload=${encodeURIComponent(workload)}`);
  assert.ok(items.length > 0 && items.every((one) => one.workload === workload && one.energy_joules > 0));
  await page.goto(`${url}#encode=${transcode}`);
  await isOpen(page);
  await page.waitForSelector('[data-part="earlier"] tbody tr');
  assert.equal(await page.locator('[data-part="earlier"] tbody tr').count(), items.length);
  await isAccessible(page, "earlier encodes");
  await page.locator('[data-part="earlier"]').scrollIntoViewIfNeeded();
  await keep(page, "drawer-earlier.png", false);
  await page.route("**/api/v1/history*", (route) => route.fulfill({ status: 404, json: { error: "there is no ledger /nowhere" } }));
  await page.goto("about:blank");
  await page.goto(`${url}#host=24h`);
  await page.waitForSelector('#drawer-past p:text-is("No history: there is no ledger /nowhere")');
  await page.unroute("**/api/v1/history*");
  assert.ok(faults.every((one) => one.includes("404")), faults.join());
  faults.length = 0;
  await page.keyboard.press("Escape");
  await isClosed(page);
}

/** Without prices no cost is shown. */
async function unpriced(page) {
  await page.route("**/api/v1/snapshot*", async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    Object.assign(body.prices, { per_kilowatt_hour: 0, per_cpu_hour: 0 });
    for (const one of [body.host, ...body.workloads, ...body.transcodes]) for (const field of ["cost", "energy_cost"]) delete one[field];
    await route.fulfill({ response: answer, json: body });
  });
  await page.reload();
  await page.waitForSelector("#workloads tbody tr[data-key]");
  assert.ok(await page.locator("#cost-tile").isHidden());
  assert.ok((await column(page, "workloads", "cost_per_hour")).every(([, value]) => value === undefined));
  await page.locator("#host-details").click();
  await page.waitForSelector("#drawer-past canvas");
  const seen = await figures(page);
  for (const title of ["Cost per hour", "Cost per month", "Cost so far"]) assert.equal(seen[title], undefined, title);
  assert.match(seen["CO₂e per hour"], / g$/);
  await page.unroute("**/api/v1/snapshot*");
  await page.keyboard.press("Escape");
  await isClosed(page);
}

/** The documentation: as HTML, in both themes, without a sideways scroll. */
async function docs(page) {
  await page.locator('nav a[href="docs/metrics"]').click();
  await page.waitForSelector("article h1");
  assert.equal(await page.textContent("article h1"), "Metrics");
  assert.ok((await page.locator("article table").count()) > 5);
  await isAccessible(page, "a page of the documentation");
  await keep(page, "docs.png", false);
  await page.locator('.contents a').nth(1).click();
  assert.match(page.url(), /#port-/);
  await page.locator('nav a[href="api"]').click();
  await page.waitForFunction(() => document.querySelector("article h1")?.textContent === "Interfaces");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  await isAccessible(page, "a page of the documentation, dark");
  await keep(page, "docs-dark.png", false);
  await page.setViewportSize({ width: 390, height: 844 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scroll");
  await keep(page, "docs-phone.png", false);
  const text = await fetch(new URL("docs/api", url));
  assert.match(text.headers.get("content-type"), /^text\/plain/);
  assert.match(await text.text(), /^# Interfaces\n/);
}

/** A lost connection is a gap in what the page records, and an end is no zero in what the API has. */
async function gaps(page) {
  const { transcode } = await poster();
  await page.goto(`${url}#encode=${transcode}`);
  await isOpen(page);
  const label = (chart) => page.getAttribute(`#drawer figure[data-chart="${chart}"] [role="img"]`, "aria-label");
  const gapsOf = async (chart) => Number((await label(chart)).match(/, (\d+) gaps?;/)?.[1] ?? 0);
  await page.waitForSelector('#drawer figure[data-chart="speed"] canvas');
  await ticks(page, 8);
  // A busy host may have one before.
  const before = [await gapsOf("speed"), await gapsOf("perFrame"), await gapsOf("watts")];
  await page.route("**/api/v1/snapshot*", (route) => route.abort());
  await page.waitForSelector('body[data-state="lost"]');
  const { tick } = await api("snapshot");
  while ((await api("snapshot")).tick < tick + 8) await new Promise((done) => { setTimeout(done, 200); });
  await page.unroute("**/api/v1/snapshot*");
  await page.waitForSelector('body[data-state="live"]');
  await ticks(page, 3);
  assert.match(await label("speed"), /^Speed over .*: \d\.\d\d× to \d\.\d\d×, \d+ gaps?; now \d\.\d\d×$/);
  assert.ok((await gapsOf("speed")) > before[0]);
  assert.ok((await gapsOf("perFrame")) > before[1]);
  // The API went on, so the watts have no other.
  assert.equal(await gapsOf("watts"), before[2]);
  const drawn = await page.evaluate(() => {
    const { chart, data } = drawer.charts.get("speed");
    return [gapsIn(chart.data[1]), gapsIn(data.values), chart.series[1].spanGaps];
  });
  assert.ok(drawn[0] > before[0] && drawn[0] === drawn[1] && !drawn[2], drawn.join());
  await keep(page, "gaps.png", false);
  // After its end the watts of a finished encode are unknown.
  await page.keyboard.press("Escape");
  await isClosed(page);
  await page.locator("#transcodes .fold button").click();
  await page.locator("#transcodes tr.over .name button").first().click();
  await page.waitForSelector('#drawer figure[data-chart="watts"] canvas');
  assert.match(await label("watts"), /; now –$/);
}

const colours = async (page) => new Map(await page.$$eval("#workloads tbody .name, #transcodes tbody .name", (names) =>
  names.map((name) => [name.textContent, getComputedStyle(name.firstChild).backgroundColor])));

/** Names keep their colours whatever else is shown before them, and lines can be compared. */
async function scales(page) {
  const before = await colours(page);
  assert.ok(before.size >= 5);
  // Other names come first.
  await page.route("**/api/v1/snapshot*", async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    const like = { ...body.workloads[0], part: "containers" };
    const others = Array.from({ length: 30 }, (_, number) => ({ ...like, workload: `other-${number}`, id: `${number}` }));
    body.workloads = [...others, ...body.workloads.reverse()];
    await route.fulfill({ response: answer, json: body });
  });
  await page.reload();
  await page.waitForSelector("#workloads tbody tr[data-key]");
  await page.locator("#workloads .more button").click();
  const after = await colours(page);
  for (const [name, colour] of before) assert.equal(after.get(name), colour, name);
  const different = new Set([...after].filter(([name]) => name.startsWith("other-")).map(([, colour]) => colour));
  assert.ok(different.size > 12, "most names differ in colour");
  await page.unroute("**/api/v1/snapshot*");
  // One scale.
  await page.waitForSelector("#transcodes .spark canvas");
  await page.waitForSelector("#workloads .spark canvas");
  for (const table of ["transcodes", "workloads"]) {
    const [tops, highest] = await page.evaluate((table) => {
      const cells = [...sparklines.cells].filter(([cell, { chart }]) => chart && cell.closest("table").id === table);
      const values = cells.flatMap(([, { chart }]) => chart.data[1]).filter((value) => value !== null);
      return [cells.map(([, { chart }]) => chart.scales.y.max), Math.max(...values)];
    }, table);
    assert.ok(tops.length >= 3 && new Set(tops).size === 1, `${table}: ${tops}`);
    assert.ok(tops[0] >= highest && tops[0] <= 2.1 * highest, `${table}: ${highest} on a scale to ${tops[0]}`);
    assert.equal(await page.textContent(`#${table} th[data-field="spark"]`), `5 min, 0 to ${tops[0]} W`);
  }
  assert.equal((await column(page, "transcodes", "power_watts")).length, 20);
}

/** Cards with the watts first, on phones of several sizes, with and without a drawer. */
async function cards(page) {
  for (const width of [480, 390, 320]) {
    await page.setViewportSize({ width, height: 844 });
    await hasNoSidewaysScroll(page, `${width} pixels`);
    const firsts = await page.$$eval("#transcodes tbody tr[data-key], #workloads tbody tr[data-key]", (rows) => rows.map((row) => {
      const boxes = [...row.children].filter((cell) => cell.checkVisibility()).map((cell) => [cell.dataset.field, cell.getBoundingClientRect()]);
      const isBeside = (one, other) => Math.abs(one.bottom - other.bottom) <= 12;
      boxes.sort(([, one], [, other]) => (isBeside(one, other) ? one.left - other.left : one.bottom - other.bottom));
      return [boxes[0][0], boxes.length];
    }));
    const areCards = firsts.every(([first, count]) => first === "power_watts" && count >= 3);
    assert.ok(firsts.length > 20 && areCards, `${width}: ${JSON.stringify(firsts)}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await isAccessible(page, "cards");
  await keep(page, "cards.png");
  // Cards can be sorted, too.
  await page.locator('#transcodes th[data-field="energy_joules"] button').click();
  const { transcode } = await poster();
  await page.locator("#transcodes .more button").click();
  await page.locator(`#transcodes tr[data-key="${transcode}"]`).click();
  await isOpen(page);
  await page.waitForSelector('#drawer figure[data-chart="speed"] canvas');
  await hasNoSidewaysScroll(page, "a drawer on a phone");
  assert.equal((await page.locator("#drawer").boundingBox()).width, 390);
  await isAccessible(page, "a drawer on a phone");
  await keep(page, "drawer-phone.png", false);
}

await play({ host, rows, address, drawers, gaps, colours: scales, cards });
