// Records the live page and `ffwatt top` as pictures, for the animations of the README: `cargo xtask pictures --motion`. See browser.mjs.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { folder, keep, play, please } from "./browser.mjs";

/** Pictures for each second, as `cargo xtask pictures` plays them. */
const RATE = 4;

const sleep = (milliseconds) => new Promise((done) => { setTimeout(done, milliseconds); });
const number = (place) => String(place).padStart(3, "0");

/** The page, while encodes begin and end: the chart, a drawer, and the host. */
async function page(page) {
  await page.setViewportSize({ width: 1200, height: 760 });
  await page.waitForSelector("#transcodes .spark canvas");
  let isOver = false;
  let place = 0;
  const camera = (async () => {
    while (!isOver) {
      const next = performance.now() + 1000 / RATE;
      await keep(page, `motion/page-${number(place)}.png`, false);
      place += 1;
      await sleep(Math.max(0, next - performance.now()));
    }
  })();
  await sleep(2000);
  await please("begin");
  await sleep(3000);
  const box = await page.locator("#power").boundingBox();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height / 2);
  for (let step = 0; step < 8; step += 1) {
    await page.mouse.move(box.x + box.width * (0.6 + step * 0.045), box.y + box.height / 2);
    await sleep(250);
  }
  await page.locator("#transcodes tbody tr[data-key] .name button").first().click();
  await sleep(3000);
  await page.keyboard.press("Escape");
  await please("end");
  await sleep(2500);
  await page.click("#host-details");
  await sleep(3000);
  await page.keyboard.press("Escape");
  await sleep(1500);
  isOver = true;
  await camera;
}

/** The sixteen colours of a terminal. */
const COLOURS = ["#1c2128", "#e5534b", "#57ab5a", "#c69026", "#539bf5", "#b083f0", "#39c5cf", "#c9d1d9",
  "#7d8590", "#ff938a", "#8ddb8c", "#daaa3f", "#6cb6ff", "#dcbdfb", "#56d4dd", "#ffffff"];

/** Lines of a terminal with their colours (ECMA-48, `SGR`), as nodes. */
function show(lines, colours) {
  const screen = document.getElementById("screen");
  screen.replaceChildren();
  let style = {};
  const set = (codes) => {
    while (codes.length > 0) {
      const code = codes.shift();
      // A colour by its number: 38;5;4 or 48;5;4.
      const [, number] = code === 38 || code === 48 ? codes.splice(0, 2) : [];
      if (code === 0) style = {};
      else if (code === 1) style.fontWeight = "700";
      else if (code === 2) style.opacity = "0.65";
      else if (code === 7) style.isReversed = true;
      else if (code === 22) { delete style.fontWeight; delete style.opacity; }
      else if (code === 27) delete style.isReversed;
      else if (code === 38) style.front = colours[number];
      else if (code === 48) style.back = colours[number];
      else if (code >= 30 && code <= 37) style.front = colours[code - 30];
      else if (code === 39) delete style.front;
      else if (code >= 40 && code <= 47) style.back = colours[code - 40];
      else if (code === 49) delete style.back;
      else if (code >= 90 && code <= 97) style.front = colours[code - 82];
    }
  };
  for (const line of lines) {
    for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
      if (part.startsWith("\x1b[")) {
        set(part.slice(2, -1).split(";").map(Number));
        continue;
      }
      const { front = "#c9d1d9", back = "transparent", isReversed, ...rest } = style;
      const node = document.createElement("span");
      node.textContent = part;
      Object.assign(node.style, rest, isReversed ? { color: "#0d1117", background: front } : { color: front, background: back });
      screen.append(node);
    }
    screen.append("\n");
  }
}

/** Screens of `ffwatt top`, as `tmux capture-pane -e` writes them. */
async function terminal(live) {
  // The policy of the live page forbids styles of others.
  const page = await live.context().newPage();
  await page.setViewportSize({ width: 980, height: 450 });
  await page.setContent('<body style="margin:0;background:#0d1117"><pre id="screen" style="margin:14px;font:14px/1.25 \'DejaVu Sans Mono\',monospace"></pre>');
  const screens = readdirSync(join(folder, "motion")).filter((name) => name.endsWith(".screen")).sort();
  for (const [place, name] of screens.entries()) {
    await page.evaluate(`(${show})(${JSON.stringify(readFileSync(join(folder, "motion", name), "utf8").split("\n"))}, ${JSON.stringify(COLOURS)})`);
    await keep(page, `motion/top-${number(place)}.png`, false);
  }
}

await play({ page, terminal });
