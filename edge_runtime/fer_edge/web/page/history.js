// What was seen over the last minutes, in slots of a quarter of a second; the memory is bounded by the longest window.

export const SLOT_MS = 250;
export const LONGEST_MIN = 15;
// What was seen is seen until the next picture; but not for longer than that.
const HOLDS = 2000 / SLOT_MS;
const SLOTS = (LONGEST_MIN * 60_000) / SLOT_MS;

export class History {
  constructor() {
    this.labels = [];
    this.clear();
  }

  clear() {
    this.last = {time: -1, faces: []};
    /** Per slot the number of its time, -1 for none; per label the highest probability and how often a face showed it. */
    this.times = new Int32Array(SLOTS).fill(-1);
    this.highest = new Float32Array(SLOTS * this.labels.length);
    this.named = new Uint16Array(SLOTS * this.labels.length);
  }

  static slot(now) {
    return Math.floor(now / SLOT_MS);
  }

  /** Take the faces of a picture in, seen at `now`, ms. */
  add(now, faces, labels) {
    if (labels.join() !== this.labels.join()) {
      this.labels = [...labels];
      this.clear();
    }
    const time = History.slot(now);
    for (let between = Math.max(this.last.time + 1, time - HOLDS); between < time; between += 1) {
      this.put(between, this.last.faces);
    }
    this.put(time, faces);
    this.last = {time, faces};
  }

  put(time, faces) {
    if (!faces.length) return;
    const at = time % SLOTS, base = at * this.labels.length;
    if (this.times[at] !== time) {
      this.times[at] = time;
      this.highest.fill(0, base, base + this.labels.length);
      this.named.fill(0, base, base + this.labels.length);
    }
    for (const face of faces) {
      this.labels.forEach((label, index) => {
        this.highest[base + index] = Math.max(this.highest[base + index], face.probabilities[label] ?? 0);
        if (face.expression === label) this.named[base + index] += 1;
      });
    }
  }

  /** Give the highest probability of a label at a slot, and whether a face showed it; null where no face was seen. */
  at(time, index) {
    const at = ((time % SLOTS) + SLOTS) % SLOTS;
    if (time < 0 || this.times[at] !== time) return null;
    const base = at * this.labels.length + index;
    return {highest: this.highest[base], named: this.named[base] > 0};
  }

  /** Sum up the last minutes: per label its share of all that faces showed, and the seconds since one did. */
  sums(now, minutes) {
    const last = History.slot(now), slots = (minutes * 60_000) / SLOT_MS;
    let slotsSeen = 0;
    const shares = this.labels.map(() => 0), ages = this.labels.map(() => null);
    for (let time = last; time > last - slots && time >= 0; time -= 1) {
      const at = time % SLOTS;
      if (this.times[at] !== time) continue;
      slotsSeen += 1;
      const counts = this.named.subarray(at * shares.length, (at + 1) * shares.length);
      const all = counts.reduce((one, other) => one + other, 0);
      counts.forEach((count, index) => {
        if (!count) return;
        shares[index] += count / all;
        ages[index] ??= ((last - time) * SLOT_MS) / 1000;
      });
    }
    return this.labels.map((label, index) => ({label, share: slotsSeen ? shares[index] / slotsSeen : 0, age: ages[index]}));
  }
}
