// The page: what the camera sees (fer-edge run --preview), or what the browser sends (fer-edge serve).

import {Announcer} from "./announcer.js";
import {Colours} from "./colours.js";
import {Faces} from "./faces.js";
import {Figures} from "./figures.js";
import {preview} from "./preview.js";
import {serve} from "./serve.js";
import {Stage} from "./stage.js";
import {switchBy} from "./theme.js";
import {Timeline} from "./timeline.js";
import {Words} from "./words.js";

const RETRY_MS = 2000;
// Text that changes with every picture costs more than the picture does.
const CARDS_EVERY_MS = 100;

/** Everything that shows a state. */
class View {
  constructor(words) {
    this.words = words;
    this.colours = new Colours();
    this.stage = new Stage(words, this.colours);
    this.faces = new Faces(words, this.colours);
    this.figures = new Figures(words);
    this.timeline = new Timeline(words, this.colours);
    this.announcer = new Announcer(words, document.getElementById("spoken"));
    this.cards = -Infinity;
    this.labels = [];
  }

  recolour() {
    this.colours.read();
    this.stage.draw();
    this.timeline.draw();
    this.settle();
  }

  /** Let the cards tell of the picture that is shown, and of none before it. */
  settle() {
    if (this.last) this.faces.show(this.last.result.faces, this.last.labels);
  }

  /** Name where pictures come from and what judges them. */
  name(state) {
    const names = `${state.source}\n${state.model}`;
    if (names === this.names) return;
    this.names = names;
    const {words} = this;
    document.getElementById("source").textContent = state.source;
    // It is empty while the model is being loaded.
    document.getElementById("model").textContent = state.model && words.say("model", {name: state.model});
    document.title = words.say("title", {source: state.source});
    if (state.labels.join() !== this.timeline.labels.join()) this.timeline.add([], state.labels);
  }

  /**
   * Show a picture with its state; `age` in ms where the page knows better than the server; `last` where no other picture
   * follows.
   */
  show(image, state, age = null, last = false) {
    this.stage.show(image, state);
    this.judge(state, age, last);
  }

  /** Show a state of which no picture is shown. */
  judge(state, age = null, last = false) {
    this.figures.show(state, age, last);
    if (!state.result) return;
    this.last = state;
    const {faces} = state.result;
    this.timeline.add(faces, state.labels);
    this.announcer.hear(faces, last);
    const now = performance.now();
    if (last || now - this.cards >= CARDS_EVERY_MS) {
      this.cards = now;
      this.faces.show(faces, state.labels);
    }
  }

  /** Begin anew with pictures of another origin. */
  restart() {
    this.last = null;
    this.stage.clear();
    this.faces.clear();
    this.announcer.forget();
    this.figures.restart();
  }

  /** Say how things are: a key below "status" in words.json, which is also the class of the mark. */
  status(kind) {
    document.getElementById("status").dataset.kind = kind;
    document.getElementById("status-text").textContent = this.words.say(`status.${kind}`);
  }

  /** Show a line over the picture, null for none; what is given as `aloud` a screen reader says. */
  notice(text, aloud = null) {
    const notice = document.getElementById("notice");
    notice.hidden = text === null;
    notice.textContent = text ?? "";
    if (aloud !== null) document.getElementById("warned").textContent = aloud;
  }
}

/** Let the button put the picture on the whole screen, where the browser can do that. */
function fullScreenBy(button, element) {
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else element.requestFullscreen();
  });
  document.addEventListener("fullscreenchange", () =>
    button.setAttribute("aria-pressed", String(Boolean(document.fullscreenElement))));
}

/** Ask until the server answers. */
async function firstState(view) {
  for (;;) {
    try {
      const answer = await fetch("api/v1/state");
      if (answer.status === 401) location.reload();
      if (answer.ok) return await answer.json();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    view.status("lost");
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

const words = await Words.load("page/words.json");
words.fill(document);
const view = new View(words);
switchBy(document.getElementById("theme"), () => view.recolour());
fullScreenBy(document.getElementById("full"), document.getElementById("stage"));
view.status("connecting");
const state = await firstState(view);
view.name(state);
view.figures.show(state);
document.getElementById("kept").textContent = words.say(state.mode === "serve" ? "kept_serve" : "kept_preview");
(state.mode === "serve" ? serve : preview)(view);
