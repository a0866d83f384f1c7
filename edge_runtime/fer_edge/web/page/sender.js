// Sends the pictures of a feed, the next when the last was answered.

import {Connection} from "./connection.js";

const NEXT_LOOK_MS = 15;
const AFTER_ERROR_MS = 1000;
const QUALITY = 0.85;

export class Sender {
  /**
   * @param feed See feeds.js, started.
   * @param told Called with answered(canvas, state, age in ms), refused(text), ended(), opened() and lost(seconds, full).
   */
  constructor(feed, told) {
    this.feed = feed;
    this.told = told;
    this.paused = false;
    this.pending = null;
    this.timer = 0;
    this.connection = new Connection("api/v1/camera", {
      opened: () => {
        told.opened();
        this.pending = null;
        this.next();
      },
      text: (message) => this.answer(JSON.parse(message)),
      binary: () => {},
      lost: (seconds, full) => told.lost(seconds, full),
    });
    this.connection.expecting = false;
    this.connection.open();
  }

  close() {
    clearTimeout(this.timer);
    this.connection.close();
    this.feed.stop();
  }

  pause() {
    this.paused = true;
    this.feed.pause();
  }

  async resume() {
    await this.feed.resume();
    this.paused = false;
    this.next();
  }

  later(pause) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.next(), pause);
  }

  next() {
    if (this.paused || this.pending || !this.connection.isOpen) return;
    const canvas = this.feed.grab();
    if (canvas === null) {
      if (this.feed.ended) this.told.ended();
      else this.later(NEXT_LOOK_MS);
      return;
    }
    const pending = (this.pending = {canvas, at: performance.now()});
    canvas.toBlob((content) => {
      if (this.pending !== pending) return;
      this.connection.expect();
      this.connection.send(content);
    }, "image/jpeg", QUALITY);
  }

  answer(state) {
    const pending = this.pending;
    this.pending = null;
    this.connection.expecting = false;
    if (state.error !== undefined) {
      this.told.refused(state.error);
      if (!this.feed.still) this.later(AFTER_ERROR_MS);
      return;
    }
    if (pending === null) return;
    // What was under way while somebody paused is not what he has paused at.
    if (!this.paused) this.told.answered(pending.canvas, state, performance.now() - pending.at);
    if (!this.feed.still) this.next();
  }
}
