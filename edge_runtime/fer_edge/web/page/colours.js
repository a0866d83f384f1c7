// The colours of expressions: those of style.css and dark.css, told apart by the colour-blind too.

const SPARE = ["happy", "sad", "angry", "disgust", "surprise", "fear", "neutral"];

const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => linear(parseInt(colour.slice(at, at + 2), 16) / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export class Colours {
  constructor() {
    this.read();
  }

  /** Read them anew, after another theme was put on. */
  read() {
    const style = getComputedStyle(document.documentElement);
    this.get = (name) => style.getPropertyValue(`--${name}`).trim();
  }

  /** Give the colour of a label, #rrggbb, on the page or as "bright" over a picture; labels not ours take turns. */
  of(label, labels = [], shade = "on") {
    const own = this.get(`${shade}-${label}`);
    return own || this.get(`${shade}-${SPARE[Math.max(0, labels.indexOf(label)) % SPARE.length]}`);
  }

  /** Give black or white, whichever is read better on a colour. */
  static ink(colour) {
    const light = luminance(colour);
    return (light + 0.05) / 0.055 > 1.05 / (light + 0.05) ? "#0b0e11" : "#ffffff";
  }
}
