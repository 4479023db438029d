// A Socket.IO client (protocol 5 over Engine.IO 4), by WebSocket alone: what our pages need of it.
// https://socket.io/docs/v4/socket-io-protocol/ and https://socket.io/docs/v4/engine-io-protocol/

const ENGINE = { open: "0", close: "1", ping: "2", pong: "3", message: "4" };
const SOCKET = { connect: "0", disconnect: "1", event: "2", ack: "3", connectError: "4", binaryEvent: "5" };
const RETRY_MS = { first: 500, longest: 10_000 };
const SPARE_MS = 2_000; // beyond the time in which the server says something

export class Socket {
  #url; #auth; #onState; #socket = null; #handlers = new Map(); #acks = new Map();
  #nextAck = 0; #connected = false; #closed = false; #retryMs = RETRY_MS.first; #silence = 0; #silenceMs = 0; #retry = 0;

  // url: of the server, e.g. location.origin; auth: the object that says who we are, or null;
  // onState(state, why): "connected", "disconnected" (it tries again) or "refused" (it does not).
  constructor(url, { auth = null, onState = () => {} } = {}) {
    this.#url = new URL("/socket.io/?EIO=4&transport=websocket", url);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#auth = auth;
    this.#onState = onState;
    this.#open();
  }

  get connected() { return this.#connected; }

  // Bytes that the network has not taken yet: who sends audio leaves some out when they pile up.
  get bufferedBytes() { return this.#socket?.bufferedAmount ?? 0; }

  on(event, handler) { this.#handlers.set(event, handler); }

  // Send an event; an ArrayBuffer may stand anywhere in it. Returns whether it was sent.
  emit(event, ...values) { return this.#send([event, ...values], ""); }

  // Send an event and wait for the server's acknowledgement.
  request(event, ...values) {
    const id = this.#nextAck++;
    return new Promise((resolve, reject) => {
      this.#acks.set(id, { resolve, reject });
      if (!this.#send([event, ...values], String(id))) this.#forget(id).reject(new Error("not connected"));
    });
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  #open() {
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => typeof data === "string" && this.#receive(data); // the server sends no binary
    socket.onclose = ({ reason }) => this.#ended(reason);
    this.#socket = socket;
  }

  #ended(why) {
    clearTimeout(this.#silence);
    this.#connected = false;
    for (const id of [...this.#acks.keys()]) this.#forget(id).reject(new Error("disconnected"));
    if (this.#closed) return;
    this.#onState("disconnected", why || "no connection to the server");
    this.#retry = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random() / 2)); // not all pages at once
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.longest);
  }

  #receive(text) {
    this.#expectMore();
    const rest = text.slice(1);
    if (text[0] === ENGINE.open) {
      const { pingInterval, pingTimeout } = JSON.parse(rest);
      this.#silenceMs = pingInterval + pingTimeout + SPARE_MS;
      this.#socket.send(ENGINE.message + SOCKET.connect + (this.#auth ? JSON.stringify(this.#auth) : ""));
    } else if (text[0] === ENGINE.ping) this.#socket.send(ENGINE.pong);
    else if (text[0] === ENGINE.close) this.#socket.close();
    else if (text[0] === ENGINE.message) this.#message(rest[0], rest.slice(1));
  }

  #message(type, rest) {
    if (type === SOCKET.connect) {
      this.#connected = true;
      this.#retryMs = RETRY_MS.first;
      this.#onState("connected", "");
    } else if (type === SOCKET.connectError) {
      this.close();
      this.#onState("refused", JSON.parse(rest).message);
    } else if (type === SOCKET.disconnect) this.#socket.close();
    else if (type === SOCKET.event) {
      const [event, ...values] = JSON.parse(rest.slice(rest.indexOf("[")));
      this.#handlers.get(event)?.(...values);
    } else if (type === SOCKET.ack) {
      const begin = rest.indexOf("[");
      this.#forget(Number(rest.slice(0, begin)))?.resolve(JSON.parse(rest.slice(begin))[0]);
    }
  }

  #send(values, id) {
    if (!this.#connected || this.#socket.readyState !== WebSocket.OPEN) return false;
    const binary = [];
    const text = JSON.stringify(values, (_key, value) =>
      value instanceof ArrayBuffer ? { _placeholder: true, num: binary.push(value) - 1 } : value);
    const type = binary.length ? `${SOCKET.binaryEvent}${binary.length}-` : SOCKET.event;
    this.#socket.send(ENGINE.message + type + id + text);
    for (const buffer of binary) this.#socket.send(buffer);
    return true;
  }

  #forget(id) {
    const waiting = this.#acks.get(id);
    this.#acks.delete(id);
    return waiting;
  }

  // The server pings: when it does not, the connection is dead though nobody says so.
  #expectMore() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    if (this.#silenceMs) this.#silence = setTimeout(() => socket.close(), this.#silenceMs);
  }
}
