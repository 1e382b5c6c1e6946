// Draws the data of each dashboard: node pictures.mjs SERIES FOLDER. `cargo xtask pictures` has the stack's test write the series.
//
// Not Grafana itself: the same queries, panels, places, units and colours, lines by the library that Grafana draws with, in Chromium.

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [series, folder] = process.argv.slice(2);
const { chromium } = createRequire(join(process.env.FFWATT_PLAYWRIGHT, "package.json"))("playwright-core");
const here = dirname(fileURLToPath(import.meta.url));
const read = (path) => readFileSync(join(here, path), "utf8");
const library = "../agent/src/server/page/uplot";

/** Width of a picture, as of a window. */
const WIDTH = 1360;

const HTML = `<!doctype html><meta charset="utf-8"><style>${read(`${library}/uPlot.min.css`)}</style><style>${read("pictures.css")}</style><body></body>`;

mkdirSync(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 800 } });
  page.on("pageerror", (error) => { throw error; });
  for (const file of readdirSync(series).filter((name) => name.endsWith(".json")).sort()) {
    const dashboard = JSON.parse(readFileSync(join(series, file), "utf8"));
    // A page of its own: the scripts of the last one are gone.
    await page.goto("about:blank");
    await page.setContent(HTML);
    await page.addScriptTag({ content: read(`${library}/uPlot.iife.min.js`) });
    await page.addScriptTag({ content: read("pictures_panels.js") });
    await page.evaluate((dashboard) => window.draw(dashboard), dashboard);
    const path = join(folder, `${dashboard.uid}.png`);
    await page.locator("#board").screenshot({ path });
    process.stdout.write(`${path}\n`);
  }
} finally {
  await browser.close();
}
