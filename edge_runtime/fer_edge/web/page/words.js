// The words of the page, from words.json: another language is another such file.

export class Words {
  constructor(entries) {
    this.entries = entries;
    this.language = entries.language;
    this.plurals = new Intl.PluralRules(this.language);
    this.formats = new Map();
  }

  static async load(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    return new Words(await answer.json());
  }

  /** Give the words of a key, "status.live"; {places} are filled from `values`, plurals chosen by `values.number`. */
  say(key, values = {}) {
    let found = this.entries;
    for (const part of key.split(".")) found = found?.[part];
    if (typeof found === "object") found = found[this.plurals.select(values.number)] ?? found.other;
    if (found === undefined) throw new Error(`words.json has no ${key}`);
    return found.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
  }

  /** Name an expression; models may have others than ours. */
  expression(label) {
    return this.entries.expression[label] ?? label;
  }

  number(value, digits = 0) {
    if (!this.formats.has(digits)) {
      const fixed = {minimumFractionDigits: digits, maximumFractionDigits: digits};
      this.formats.set(digits, new Intl.NumberFormat(this.language, fixed));
    }
    return this.formats.get(digits).format(value);
  }

  /** Write a share of 0..1. */
  percent(share) {
    return this.say("percent", {number: this.number(100 * share)});
  }

  milliseconds(value) {
    return this.say("milliseconds", {number: this.number(value, value < 100 ? 1 : 0)});
  }

  /** Fill what the document leaves open. */
  fill(root) {
    document.documentElement.lang = this.language;
    for (const one of root.querySelectorAll("[data-word]")) one.textContent = this.say(one.dataset.word);
    for (const one of root.querySelectorAll("[data-label]")) one.setAttribute("aria-label", this.say(one.dataset.label));
  }
}
