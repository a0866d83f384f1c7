// What the instrument says of itself. Numbers that change thirty times a second cannot be read: medians, twice a second.

const EVERY_MS = 500;
const STAGES = ["capture", "detect", "classify"];

function median(values) {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}

export class Figures {
  constructor(words) {
    this.words = words;
    this.shown = 0;
    this.results = [];
    this.ages = [];
    this.answers = [];
    this.frame = null;
    this.parts = STAGES.map((stage) => {
      const part = document.createElement("span");
      part.className = stage;
      document.getElementById("stack").append(part);
      return part;
    });
    this.times = [...STAGES, "total"].map((stage) => {
      const line = document.createElement("div"), name = document.createElement("dt"), value = document.createElement("dd");
      line.className = stage;
      name.textContent = words.say(`stage.${stage}`);
      line.append(name, value);
      document.getElementById("stages").append(line);
      return value;
    });
    this.put({result: null, fps: null, dropped: 0, temperature_c: null, throttled: null});
  }

  /**
   * Take a state in; `age` is the picture's in ms, where the page knows it better than the server; with `atOnce`, of a
   * picture after which none follows.
   */
  show(state, age = null, atOnce = false) {
    const now = performance.now();
    if (state.result && state.result.frame !== this.frame) {
      this.frame = state.result.frame;
      this.results.push(state.result.ms);
      this.ages.push(age ?? state.result.age_ms);
      this.answers.push(now);
    }
    if (!atOnce && now - this.shown < EVERY_MS) return;
    this.shown = now;
    this.put(state);
  }

  /** Pictures of another origin are numbered anew. */
  restart() {
    this.frame = null;
    this.results = [];
    this.ages = [];
    this.answers = [];
  }

  put(state) {
    const {words} = this;
    const say = (id, text) => (document.getElementById(id).textContent = text);
    const unknown = words.say("unknown");
    const fps = state.fps ?? this.counted();
    say("fps", fps === null ? unknown : words.number(fps, fps < 10 ? 1 : 0));
    say("dropped", words.number(state.dropped));
    const degrees = state.temperature_c;
    say("temperature", degrees === null ? unknown : words.say("degrees", {number: words.number(degrees)}));
    if (state.throttled) {
      const mark = document.createElement("small");
      mark.textContent = words.say("throttled");
      document.getElementById("temperature").append(" ", mark);
    }
    if (this.results.length === 0) {
      if (state.result === null) [document.getElementById("age"), ...this.times].forEach((one) => (one.textContent = unknown));
      return;
    }
    say("age", words.milliseconds(median(this.ages)));
    const cost = [...STAGES, "total"].map((stage) => median(this.results.map((ms) => ms[stage])));
    this.times.forEach((value, at) => (value.textContent = words.milliseconds(cost[at])));
    const sum = cost[0] + cost[1] + cost[2];
    this.parts.forEach((part, at) => (part.style.flexGrow = sum > 0 ? cost[at] / sum : 0));
    this.results = [];
    this.ages = [];
  }

  /** Count the last five seconds, where the server does not. */
  counted() {
    const now = performance.now();
    this.answers = this.answers.filter((time) => now - time < 5000);
    const [first] = this.answers;
    return this.answers.length < 2 ? null : (1000 * (this.answers.length - 1)) / (this.answers.at(-1) - first);
  }
}
