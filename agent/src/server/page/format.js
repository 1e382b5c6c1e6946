// Formats figures with their units, and assigns colours to names.
"use strict";

/** Three significant digits: 0.42, 4.23, 42.3, 423. */
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** An unknown figure. */
const UNKNOWN = "–";

const known = (value) => value !== undefined && value !== null;

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"]];

/** A value with its unit: 4.23 W, 12.3 kJ, 3.63 mJ. */
function withUnit(value, unit) {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return `0 ${unit}`;
  const [factor, prefix] = PREFIXES.find(([factor]) => Math.abs(value) >= factor * 0.9995) ?? PREFIXES.at(-1);
  return `${digits(value / factor)} ${prefix}${unit}`;
}

// Watts are compared with each other: all of them in one unit.
const watts = (value) => (known(value) ? `${digits(value)} W` : UNKNOWN);
const joules = (value) => withUnit(value, "J");
const number = (value) => (known(value) ? digits(value) : UNKNOWN);
const percent = (ratio) => (known(ratio) ? `${(ratio * 100).toFixed(0)} %` : UNKNOWN);
const speed = (ratio) => (known(ratio) ? `${ratio.toFixed(2)}×` : UNKNOWN);
const score = (value) => (known(value) ? value.toFixed(1) : UNKNOWN);

function bytes(value) {
  if (!known(value)) return UNKNOWN;
  return value >= 2 ** 30 ? `${digits(value / 2 ** 30)} GiB` : `${digits(value / 2 ** 20)} MiB`;
}

const SMALLEST_AMOUNT = 0.0001;

/** An amount in the unit of a budget, without the prefixes milli, micro and nano: 0.0015 USD, <0.0001 g. `large` formats 1 and more. */
function amount(value, unit, large) {
  if (!known(value)) return UNKNOWN;
  const size = Math.abs(value);
  if (size === 0) return `0 ${unit}`;
  if (size < SMALLEST_AMOUNT) return `<${SMALLEST_AMOUNT} ${unit}`;
  return size < 1 ? `${value.toFixed(size < 0.01 ? 4 : 2)} ${unit}` : large(value);
}

const money = (value, currency) => amount(value, currency, (value) => `${value.toFixed(2)} ${currency}`);
const grams = (value) => amount(value, "g", (value) => withUnit(value, "g"));

const decibels = (value) => (known(value) ? `${value.toFixed(1)} dB` : UNKNOWN);
const bits = (value) => withUnit(value, "bit/s");

/** A length of time in its two largest units: 12.3 s, 3 min 12 s, 2 h 5 min, 4 d 3 h. */
function lengthOf(seconds) {
  if (!known(seconds)) return UNKNOWN;
  if (seconds < 60) return `${digits(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

const moment = (seconds) => new Date(seconds * 1000).toLocaleString([], { hour12: false });
const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });

/** Hues far enough apart to be told apart. */
const HUES = [214, 28, 152, 290, 350, 190, 48, 325, 100, 255, 12, 172];

/** Saturation and lightness: 36 colours together with the hues. */
const TONES = ["62% var(--series-light)", "90% calc(var(--series-light) - 9%)", "40% calc(var(--series-light) + 4%)"];

/** FNV-1a, and the last steps of MurmurHash3, without which similar names have similar numbers. */
function hashOf(name) {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The colour of a name depends on the name only: a workload keeps its colour in all tables, over a reload and in every browser. */
function colourOf(name, part) {
  if (part && part !== "containers" && part !== "services") return `var(--${part})`;
  const place = hashOf(name) % (HUES.length * TONES.length);
  return `hsl(${HUES[place % HUES.length]} ${TONES[Math.floor(place / HUES.length)]})`;
}

/** A colour as a canvas wants it: without variables. */
function resolved(colour) {
  const probe = document.createElement("span");
  probe.style.color = colour;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
