// The picture, clean, and over it the boxes and labels of its faces.

import {Colours} from "./colours.js";

const HALO = "rgba(8, 11, 14, 0.75)";

export class Stage {
  constructor(words, colours) {
    this.words = words;
    this.colours = colours;
    this.frame = document.getElementById("frame");
    this.picture = document.getElementById("picture");
    this.boxes = document.getElementById("boxes");
    this.empty = document.getElementById("empty");
    this.state = null;
    new ResizeObserver(() => this.draw()).observe(this.boxes);
  }

  /** Say what is missing, in place of a picture. */
  tell(text, hint) {
    document.getElementById("empty-text").textContent = text;
    document.getElementById("empty-hint").textContent = hint;
  }

  /** Show a picture, an ImageBitmap or a canvas, with the state that belongs to it. */
  show(image, state) {
    this.state = state;
    this.empty.hidden = true;
    if (this.picture.width !== image.width || this.picture.height !== image.height) {
      this.picture.width = image.width;
      this.picture.height = image.height;
      this.frame.style.setProperty("--ratio", image.width / image.height);
    }
    this.picture.getContext("2d").drawImage(image, 0, 0);
    this.draw();
  }

  clear() {
    this.state = null;
    this.picture.getContext("2d").clearRect(0, 0, this.picture.width, this.picture.height);
    this.empty.hidden = false;
    this.draw();
  }

  draw() {
    const {clientWidth: width, clientHeight: height} = this.boxes;
    const scale = window.devicePixelRatio || 1;
    if (this.boxes.width !== Math.round(width * scale) || this.boxes.height !== Math.round(height * scale)) {
      this.boxes.width = Math.round(width * scale);
      this.boxes.height = Math.round(height * scale);
    }
    const pen = this.boxes.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    const {result, picture, labels} = this.state ?? {};
    if (!result || !picture) return;
    const zoom = width / picture.width, faces = result.faces.map((face) => ({face, box: face.box.map((one) => one * zoom)}));
    for (const {face, box} of faces) this.box(pen, face, box, labels, width);
    const taken = [];
    for (const {face, box} of faces) taken.push(this.label(pen, face, box, labels, {width, height}, taken));
  }

  box(pen, face, [x, y, w, h], labels, width) {
    const colour = this.colours.of(face.expression, labels, "bright");
    const line = width < 500 ? 2 : 3;
    for (const [style, thick] of [[HALO, line + 2.5], [colour, line]]) {
      pen.strokeStyle = style;
      pen.lineWidth = thick;
      pen.beginPath();
      pen.roundRect(x, y, w, h, 6);
      pen.stroke();
    }
  }

  /** Write what a face shows above it, or where no other label is; give the place. */
  label(pen, face, [x, y, w, h], labels, {width, height}, taken) {
    const colour = this.colours.of(face.expression, labels, "bright");
    const size = width < 500 ? 13 : width < 900 ? 15 : 17;
    pen.font = `600 ${size}px system-ui, sans-serif`;
    const text = this.words.say(width < 500 ? "label_short" : "label", {
      number: face.track,
      expression: this.words.expression(face.expression),
      percent: this.words.percent(face.confidence),
    });
    const wide = pen.measureText(text).width + size, high = size * 1.7;
    const left = Math.max(2, Math.min(x - 1, width - wide - 2));
    const free = (top) => top >= 0 && top + high <= height && !taken.some((other) =>
      left < other.left + other.wide && other.left < left + wide && top < other.top + high && other.top < top + high);
    const top = [y - high - 4, y + h + 4, y + 4].find(free) ?? Math.max(0, y - high - 4);
    pen.fillStyle = colour;
    pen.beginPath();
    pen.roundRect(left, top, wide, high, 5);
    pen.fill();
    pen.fillStyle = Colours.ink(colour);
    pen.textBaseline = "middle";
    pen.fillText(text, left + size / 2, top + high / 2 + 1);
    return {left, top, wide};
  }
}
