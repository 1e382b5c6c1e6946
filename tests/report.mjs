// Scenes of the document of `ffwatt report --html`, which is opened from a file. See browser.mjs.

import assert from "node:assert/strict";

import { hasNoSidewaysScroll, isAccessible, keep, play } from "./browser.mjs";

/** Pixels of a figure's plot that have a colour. */
const painted = (figure) => {
  const canvas = figure.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let index = 3; index < data.length; index += 4) count += data[index] > 0;
  return count;
};

/** The plots are drawn without a network, in both themes, and on paper; the tables need no script. */
async function offline(page) {
  await page.waitForSelector("figure[data-drawn]");
  const drawn = await page.$$eval("figure[data-plot]", (figures) => figures.map((figure) => figure.dataset.drawn));
  assert.deepEqual(drawn, ["8", "8"]);
  for (const figure of await page.$$("figure[data-plot]")) assert.ok((await figure.evaluate(painted)) > 1000, "lines and axes");
  const plot = page.locator("figure[data-plot='1'] .u-over");
  const box = await plot.boundingBox();
  for (let part = 0.05; part < 1 && !(await page.textContent("figure[data-plot='1'] .readout")); part += 0.02) {
    await page.mouse.move(box.x + box.width * part, box.y + box.height * (1 - part));
  }
  assert.match(await page.textContent("figure[data-plot='1'] .readout"), /VMAF \d+\.\d\d, .* J\/frame/);
  await isAccessible(page, "light");
  await keep(page, "report-light.png");
  await page.setViewportSize({ width: 420, height: 900 });
  await page.waitForFunction(() => document.querySelector(".uplot").clientWidth < 420);
  await keep(page, "report-narrow.png");
  await page.setViewportSize({ width: 1360, height: 900 });
  await hasNoSidewaysScroll(page, "wide");
  await page.emulateMedia({ colorScheme: "dark" });
  await isAccessible(page, "dark");
  await keep(page, "report-dark.png");
  const pdf = await page.pdf({ path: new URL("../target/page/report.pdf", import.meta.url).pathname, format: "A4", preferCSSPageSize: false });
  assert.equal(pdf.subarray(0, 5).toString(), "%PDF-");
}

await play({ offline });
