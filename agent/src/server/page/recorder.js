// Records speed and J/frame of running encodes while the page is open: the API has only their last value.
"use strict";

/** A quarter of an hour at a tick each second, as the API has of power. */
const MOST_POINTS = 900;

class Recorder {
  constructor() {
    this.tick = undefined;
    this.lines = new Map();
  }

  add(answer) {
    // An agent without ticks still answers, with the figures of its last tick.
    if (answer.tick === this.tick) return;
    this.tick = answer.tick;
    const reported = new Set();
    for (const one of answer.transcodes) {
      reported.add(one.transcode);
      if (one.is_running) this.addPoint(one, answer.time_unix_seconds);
    }
    for (const key of this.lines.keys()) if (!reported.has(key)) this.lines.delete(key);
  }

  addPoint(one, time) {
    if (!this.lines.has(one.transcode)) this.lines.set(one.transcode, { times: [], speed: [], perFrame: [] });
    const line = this.lines.get(one.transcode);
    line.times.push(time);
    line.speed.push(one.speed_ratio ?? null);
    line.perFrame.push(one.joules_per_frame ?? null);
    if (line.times.length > MOST_POINTS) for (const values of Object.values(line)) values.shift();
  }

  of(key) {
    return this.lines.get(key) ?? { times: [], speed: [], perFrame: [] };
  }
}
