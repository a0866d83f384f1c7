// What a screen reader is told by itself: what is new about the expressions, once it has lasted, and not too often.

const LASTS_MS = 500;
const PAUSE_MS = 1500;

export class Announcer {
  constructor(words, region) {
    this.words = words;
    this.region = region;
    this.said = new Map();
    this.seen = new Map();
    this.since = new Map();
    this.spoke = -Infinity;
    this.nothing = null;
  }

  /** Take the faces of a picture in; with `atOnce`, of one after which none follows. */
  hear(faces, atOnce = false) {
    const now = performance.now();
    const shows = new Map(faces.map((face) => [face.track, face.expression]));
    for (const track of new Set([...shows.keys(), ...this.seen.keys()])) {
      if (shows.get(track) !== this.seen.get(track)) this.since.set(track, now);
    }
    this.seen = shows;
    if (!atOnce && now - this.spoke < PAUSE_MS) return;

    const news = [];
    for (const [track, expression] of shows) {
      const lasts = atOnce || now - (this.since.get(track) ?? now) >= LASTS_MS;
      if (lasts && this.said.get(track) !== expression) {
        this.said.set(track, expression);
        news.push(this.words.say("say_face", {number: track, expression: this.words.expression(expression)}));
      }
    }
    for (const track of this.said.keys()) {
      if (!shows.has(track) && (atOnce || now - this.since.get(track) >= LASTS_MS)) {
        this.said.delete(track);
        this.since.delete(track);
        news.push(this.words.say("say_left", {number: track}));
      }
    }
    const empty = shows.size === 0 && this.said.size === 0;
    if (empty && (atOnce || (this.nothing === false && news.length))) news.splice(0, news.length, this.words.say("say_no_face"));
    this.nothing = empty;
    if (!news.length) return;
    this.spoke = now;
    this.region.textContent = news.join(" ");
  }

  /** Forget all faces: others will have their numbers. */
  forget() {
    this.said.clear();
    this.seen = new Map();
    this.since.clear();
    this.nothing = null;
  }
}
