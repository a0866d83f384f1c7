// A socket that comes back by itself, after growing pauses.

const FIRST_S = 1;
const LONGEST_S = 15;
// A server that is there says something every second; a network that has gone tells nobody.
const SILENCE_S = 15;

export function address(path) {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url;
}

export class Connection {
  /**
   * @param path Of the socket, relative to the page.
   * @param told Called with opened(), text(string), binary(Blob), and lost(seconds, full) until the next try, 0
   *   while trying; `full` where the server is there but takes nobody else.
   */
  constructor(path, told) {
    this.path = path;
    this.told = told;
    this.pause = FIRST_S;
    this.wanted = false;
    /** Whether the server is there, but did not take this viewer when it was last asked. */
    this.full = false;
    /** Whether the server has something to say: its silence then means that it is gone. */
    this.expecting = true;
    this.heard = 0;
    this.timer = 0;
    this.online = () => this.wanted && this.timer && this.open();
  }

  open() {
    this.wanted = true;
    clearInterval(this.timer);
    this.timer = 0;
    window.addEventListener("online", this.online);
    const socket = (this.socket = new WebSocket(address(this.path)));
    this.refused = true;
    socket.onopen = () => {
      this.refused = this.full = false;
      this.heard = performance.now();
      this.watch = setInterval(() => this.look(), 1000);
      this.told.opened();
    };
    socket.onmessage = ({data}) => {
      this.heard = performance.now();
      this.pause = FIRST_S;
      if (typeof data === "string") this.told.text(data);
      else this.told.binary(data);
    };
    socket.onclose = () => this.socket === socket && this.retry();
  }

  /** Close for good. */
  close() {
    this.wanted = false;
    clearInterval(this.timer);
    clearInterval(this.watch);
    window.removeEventListener("online", this.online);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  /** Send text or a Blob; nothing where the connection is lost. */
  send(message) {
    if (this.isOpen) this.socket.send(message);
  }

  /** Expect an answer from now on. */
  expect() {
    this.expecting = true;
    this.heard = performance.now();
  }

  look() {
    if (this.expecting && performance.now() - this.heard > SILENCE_S * 1000) {
      const socket = this.socket;
      // A dead network lets no closing through either: not waited for.
      socket.onclose = null;
      socket.close();
      this.retry();
    }
  }

  retry() {
    clearInterval(this.watch);
    if (!this.wanted) return;
    // Not all viewers at once, where the server has restarted.
    let left = Math.round(this.pause * (1 + Math.random() / 2));
    this.pause = Math.min(2 * this.pause, LONGEST_S);
    this.told.lost(left, this.full);
    this.ask();
    this.timer = setInterval(() => {
      left -= 1;
      this.told.lost(Math.max(left, 0), this.full);
      if (left <= 0) this.open();
    }, 1000);
  }

  /** Ask why: where the token is no longer taken, the server's own page asks for another. */
  async ask() {
    try {
      const {status, ok} = await fetch("api/v1/state");
      if (status === 401) location.reload();
      this.full = ok && this.refused && !this.isOpen;
    } catch (error) {
      // The server is away; that is being told already.
      if (!(error instanceof TypeError)) throw error;
      this.full = false;
    }
  }
}
