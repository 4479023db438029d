// What the analyzer hears now, channel by channel: results as they come, without their scores.

import { Socket } from "/assets/socket.js";

const FORGET_MS = 3_000; // a window lasts about a second, and another comes every half
const AGAIN_MS = 10_000; // a server that is full, or does not know the token yet

export class Hearing {
  #heard = new Map(); #socket = null; #token = null; #onHeard;

  // onHeard(channel): called when something new is known of a channel.
  constructor(onHeard) { this.#onHeard = onHeard; }

  // Listen with this token, or without one where it is empty; who listens with it already goes on.
  connect(token) {
    if (this.#socket && token === this.#token) return;
    this.#socket?.close();
    this.#token = token;
    const socket = new Socket(location.origin, {
      auth: token ? { token } : null,
      onState: (state) => this.#onState(socket, state),
    });
    socket.on("sys", (told) => Array.isArray(told) && told.forEach((window) => this.#note(window)));
    this.#socket = socket;
  }

  // The classes heard on a channel now; empty where nothing is known of now.
  of(channel) {
    const heard = this.#heard.get(channel);
    if (heard && performance.now() - heard.at > FORGET_MS) this.#heard.delete(channel);
    return this.#heard.get(channel)?.classes ?? "";
  }

  #onState(socket, state) {
    if (state === "connected") socket.emit("sys", { sys: { subscribe: { form: "brief" } } });
    else if (state === "refused") setTimeout(() => { if (this.#socket === socket) this.#socket = null; }, AGAIN_MS);
  }

  #note({ chan, analysis }) {
    if (analysis.late !== false) return; // it waited for the model server, or came before our subscription
    this.#heard.set(chan, { classes: analysis.result.join(", ").replaceAll("_", " "), at: performance.now() });
    this.#onHeard(chan);
  }
}
