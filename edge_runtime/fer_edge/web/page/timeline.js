// The last minutes, a lane an expression: as high as it was probable, solid where a face showed it. And the same in words.

import {History, SLOT_MS} from "./history.js";

const WINDOWS_MIN = [1, 5, 15];
// Between two times on the axis: the smallest of these for which there is room, pixels.
const STEPS_MIN = [0.25, 0.5, 1, 2, 3, 5];
const TICK_WIDTH = 76;
const LANE = 20;
const AXIS = 22;
const DRAWN_EVERY_MS = 250;
const TOLD_EVERY_MS = 5000;

export class Timeline {
  constructor(words, colours) {
    this.words = words;
    this.colours = colours;
    this.history = new History();
    this.canvas = document.getElementById("timeline");
    this.lanes = document.getElementById("lanes");
    this.table = document.getElementById("table");
    this.choice = document.getElementById("window");
    for (const minutes of WINDOWS_MIN) {
      this.choice.append(new Option(words.say("minutes", {number: minutes}), minutes, false, minutes === 5));
    }
    this.drawn = this.told = -Infinity;
    this.labels = [];
    this.choice.addEventListener("change", () => this.refresh());
    this.table.addEventListener("toggle", () => this.tell());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    // Time goes on where no picture comes.
    setInterval(() => this.update(), 1000);
  }

  get minutes() {
    return Number(this.choice.value);
  }

  add(faces, labels) {
    const now = performance.now();
    this.history.add(now, faces, labels);
    if (labels.join() !== this.labels.join()) this.name(labels);
    this.update();
  }

  update() {
    const now = performance.now();
    if (document.hidden) return;
    if (now - this.drawn >= DRAWN_EVERY_MS) this.draw();
    if (now - this.told >= TOLD_EVERY_MS) this.tell();
  }

  refresh() {
    this.draw();
    this.tell();
  }

  clear() {
    this.history.clear();
    this.refresh();
  }

  name(labels) {
    this.labels = [...labels];
    this.canvas.style.height = `${labels.length * LANE + AXIS}px`;
    this.lanes.replaceChildren(...labels.map((label) => {
      const line = document.createElement("li");
      line.textContent = this.words.expression(label);
      line.style.height = `${LANE}px`;
      return line;
    }));
    this.refresh();
  }

  draw() {
    const now = (this.drawn = performance.now());
    const {clientWidth: width, clientHeight: height} = this.canvas;
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const pen = this.canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    this.axis(pen, width);
    const slots = (this.minutes * 60_000) / SLOT_MS, last = History.slot(now);
    // A column a pixel at most, else a slot could fall between two.
    const columns = Math.min(slots, Math.floor(width)), wide = width / columns;
    this.labels.forEach((label, index) => {
      const floor = (index + 1) * LANE - 1;
      pen.fillStyle = this.colours.of(label, this.labels);
      for (let column = 0; column < columns; column += 1) {
        const from = last - slots + 1 + Math.floor((column * slots) / columns);
        const to = last - slots + 1 + Math.floor(((column + 1) * slots) / columns);
        let highest = 0, named = false;
        for (let time = from; time < to; time += 1) {
          const found = this.history.at(time, index);
          if (found === null) continue;
          highest = Math.max(highest, found.highest);
          named ||= found.named;
        }
        if (highest < 0.02) continue;
        pen.globalAlpha = named ? 1 : 0.35;
        const high = Math.max(1, highest * (LANE - 4));
        pen.fillRect(column * wide, floor - high, wide + 0.3, high);
      }
    });
    pen.globalAlpha = 1;
  }

  axis(pen, width) {
    const bottom = this.labels.length * LANE;
    pen.strokeStyle = this.colours.get("line");
    pen.lineWidth = 1;
    pen.beginPath();
    this.labels.forEach((_, index) => {
      pen.moveTo(0, (index + 1) * LANE - 0.5);
      pen.lineTo(width, (index + 1) * LANE - 0.5);
    });
    pen.stroke();
    pen.fillStyle = this.colours.get("muted");
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "top";
    const step = STEPS_MIN.find((one) => 6 * one >= this.minutes && (one / this.minutes) * width >= TICK_WIDTH) ?? this.minutes;
    for (let ago = 0; ago <= this.minutes; ago += step) {
      const x = (1 - ago / this.minutes) * width;
      pen.textAlign = x < TICK_WIDTH / 2 ? "left" : ago === 0 ? "right" : "center";
      pen.fillText(this.ago(ago), x, bottom + 6);
    }
  }

  ago(minutes) {
    if (minutes === 0) return this.words.say("now");
    return Number.isInteger(minutes)
      ? this.words.say("minutes_ago", {number: this.words.number(minutes)})
      : this.words.say("seconds_ago", {number: this.words.number(60 * minutes)});
  }

  /** Say the same in words: as the name of the drawing, and as a table where that is open. */
  tell() {
    const now = (this.told = performance.now());
    const {words} = this;
    const sums = this.history.sums(now, this.minutes);
    const shares = sums
      .filter(({share}) => share > 0)
      .sort((one, other) => other.share - one.share)
      .map(({label, share}) => words.say("timeline_share", {expression: words.expression(label), percent: words.percent(share)}));
    this.canvas.setAttribute("aria-label", words.say("timeline_told", {
      minutes: words.say("minutes", {number: this.minutes}),
      shares: shares.join(", ") || words.say("timeline_nothing"),
    }));
    if (!this.table.open) return;
    this.table.querySelector("tbody").replaceChildren(...sums.map(({label, share, age}) => {
      const row = document.createElement("tr"), name = document.createElement("th");
      name.scope = "row";
      name.textContent = words.expression(label);
      row.append(name);
      for (const text of [words.percent(share), this.since(age)]) row.insertCell().textContent = text;
      return row;
    }));
  }

  since(age) {
    if (age === null) return this.words.say("unknown");
    if (age < 1) return this.words.say("table_now");
    return age < 90
      ? this.words.say("table_seconds", {number: this.words.number(age)})
      : this.words.say("table_minutes", {number: this.words.number(age / 60)});
  }
}
