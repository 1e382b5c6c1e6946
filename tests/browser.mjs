// Starts Debian's Chromium for a scene of the live page: node SCENES.mjs SCENE URL FOLDER
//
// A scene that finds something wrong ends with an error; pictures go into the folder. Scenes that need an action outside of the browser
// write its name to standard output, and read a line when it is done.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [scene, address, pictures] = process.argv.slice(2);
const tools = createRequire(join(process.env.FFWATT_PLAYWRIGHT, "package.json"));
const { chromium } = tools("playwright-core");

/** Address of the page. */
export const url = address;

/** Folder of the pictures. */
export const folder = pictures;

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the other side do something, and waits until it is done. */
export async function please(what) {
  process.stdout.write(`${what}\n`);
  await answers.next();
}

export const keep = (page, name, fullPage = true) => page.screenshot({ path: join(folder, name), fullPage });

/** Errors of the page, and requests to other hosts. */
export const faults = [];

/** Answer of the API. */
export const api = async (path) => (await fetch(new URL(`api/v1/${path}`, url))).json();

/** What the cells of a column have, row by row: [key, value]. */
export function column(page, table, field) {
  return page.$$eval(`#${table} tbody tr[data-key]`, (rows, field) =>
    rows.map((row) => [row.dataset.key, row.querySelector(`[data-field="${field}"]`).dataset.value]), field);
}

/** axe finds nothing in this state of the page. */
export async function isAccessible(page, state) {
  const axe = readFileSync(tools.resolve("axe-core/axe.min.js"), "utf8");
  await page.evaluate(`${axe}; undefined`);
  const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const places = (nodes) => nodes.map((node) => `${node.target} ${node.failureSummary}`).join("; ");
  const found = violations.map((one) => `${one.id}: ${one.help}: ${places(one.nodes)}`);
  assert.deepEqual(found, [], state);
  assert.ok(passes.length > 10, `${state}: axe looked at something`);
}

/** Neither the page nor a part of it scrolls sideways. */
export async function hasNoSidewaysScroll(page, state) {
  const wide = await page.evaluate(() => [document.documentElement, ...document.querySelectorAll("body *")]
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
    .filter((one) => one === document.documentElement || ["auto", "scroll"].includes(getComputedStyle(one).overflowX))
    .map((one) => `${one.tagName} ${one.id} ${one.className}: ${one.scrollWidth} in ${one.clientWidth}`));
  assert.deepEqual(wide, [], state);
}

/** Plays the scene of the command line. */
export async function play(scenes) {
  const profile = mkdtempSync(join(tmpdir(), "ffwatt-browser-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    args: FLAGS,
    viewport: { width: 1360, height: 900 },
    colorScheme: "light",
  });
  try {
    const page = browser.pages()[0] ?? (await browser.newPage());
    page.setDefaultTimeout(60_000);
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      // A refused connection is what some scenes are about.
      if (message.type() === "error" && !message.text().includes("net::ERR")) faults.push(message.text());
    });
    page.on("request", (request) => {
      const isOwn = request.url().startsWith(url) || request.url().startsWith("data:");
      if (!isOwn) faults.push(`a request to ${request.url()}`);
    });
    const isFile = url.startsWith("file:");
    await browser.setOffline(isFile);
    await page.goto(url);
    if (!isFile) await page.waitForSelector('body[data-state="live"]');
    await scenes[scene](page);
    assert.deepEqual(faults, []);
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
  // Standard input may still be open.
  process.exit(0);
}
