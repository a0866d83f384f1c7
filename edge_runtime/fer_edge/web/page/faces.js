// A card a face: what it shows, and how probable the model finds each expression.

// More would fill the page and be read by nobody.
const MOST = 6;

function make(kind, name, ...inside) {
  const element = document.createElement(kind);
  if (name) element.className = name;
  element.append(...inside);
  return element;
}

class Card {
  constructor(track, labels, words, colours) {
    this.words = words;
    this.labels = labels;
    this.colours = colours;
    this.name = make("strong", "expression");
    this.sure = make("span", "confidence");
    const title = make("h3", "", make("span", "number", words.say("face", {number: track})), this.name, this.sure);
    this.rows = labels.map((label) => {
      const fill = make("span", "fill"), percent = make("span", "percent");
      const line = make("div", "", make("dt", "", words.expression(label)), make("dd", "", make("span", "groove", fill), percent));
      return {label, fill, percent, line};
    });
    this.element = make("li", "face", title, make("dl", "bars", ...this.rows.map((row) => row.line)));
  }

  show(face) {
    this.name.textContent = this.words.expression(face.expression);
    this.sure.textContent = this.words.percent(face.confidence);
    this.element.style.setProperty("--own", this.colours.of(face.expression, this.labels));
    for (const {label, fill, percent, line} of this.rows) {
      const share = face.probabilities[label] ?? 0;
      fill.style.transform = `scaleX(${share})`;
      fill.style.backgroundColor = this.colours.of(label, this.labels);
      percent.textContent = this.words.percent(share);
      line.classList.toggle("first", label === face.expression);
    }
  }
}

export class Faces {
  constructor(words, colours) {
    this.words = words;
    this.colours = colours;
    this.list = document.getElementById("faces");
    this.none = document.getElementById("no-face");
    this.more = document.getElementById("more-faces");
    this.cards = new Map();
    this.none.textContent = words.say("no_face_yet");
  }

  show(faces, labels) {
    const shown = faces.slice(0, MOST);
    const tracks = new Set(shown.map((face) => face.track));
    for (const [track, card] of this.cards) {
      if (!tracks.has(track) || card.labels.join() !== labels.join()) {
        card.element.remove();
        this.cards.delete(track);
      }
    }
    for (const [at, face] of shown.entries()) {
      if (!this.cards.has(face.track)) {
        this.cards.set(face.track, new Card(face.track, labels, this.words, this.colours));
      }
      const card = this.cards.get(face.track);
      if (this.list.children[at] !== card.element) this.list.insertBefore(card.element, this.list.children[at] ?? null);
      card.show(face);
    }
    this.none.hidden = faces.length > 0;
    this.none.textContent = this.words.say("no_face");
    const rest = faces.length - shown.length;
    this.more.hidden = rest === 0;
    if (rest) this.more.textContent = this.words.say("more_faces", {number: rest});
  }

  clear() {
    this.show([], []);
    this.none.textContent = this.words.say("no_face_yet");
  }
}
