// The page that shows all channels, their levels and what is heard in them, and plays one of them.

import { Hearing } from "/assets/hearing.js";

const LOOK_MS = 500;
const HIDDEN_MS = 5_000; // nobody sees the meters
const FLOOR_DBFS = -60;
const FORMATS = [[".opus", 'audio/ogg; codecs="opus"'], [".ogg", 'audio/ogg; codecs="vorbis"']];
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"];

const element = (id) => document.getElementById(id);
const player = element("player");
const rows = new Map(); // by the name of the channel
const hearing = new Hearing((channel) => rows.has(channel) && showHeard(channel));
let playing = "";

async function look() {
  const token = element("token").value.trim();
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch("/api/v1/channels", { headers, cache: "no-store", signal: AbortSignal.timeout(10_000) });
  const said = await answer.json();
  if (answer.status === 401) element("access").hidden = false;
  if (!answer.ok) throw new Error(said.error);
  show(said.channels);
  hearing.connect(token);
}

function show(channels) {
  const names = new Set(channels.map(({ channel }) => channel));
  for (const [name, row] of rows) {
    if (!names.has(name)) {
      if (name === playing) stop();
      row.line.remove();
      rows.delete(name);
    }
  }
  for (const channel of channels) {
    if (!rows.has(channel.channel)) rows.set(channel.channel, makeRow(channel.channel));
    update(rows.get(channel.channel), channel);
  }
  element("state").value = channels.length ? `${channels.length} channels` : "no channels: nothing is being played";
}

function makeRow(name) {
  const line = document.createElement("tr");
  const cells = Array.from({ length: 5 }, () => line.appendChild(document.createElement("td")));
  const meter = Object.assign(document.createElement("meter"), { min: FLOOR_DBFS, max: 0, low: -30, high: -3, optimum: -15 });
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "play" });
  line.dataset.channel = name;
  cells[0].textContent = name;
  cells[1].append(meter);
  cells[2].className = "heard";
  cells[3].append(button);
  element("channels").append(line);
  button.addEventListener("click", () => (playing === name ? stop() : play(name)));
  return { line, meter, button, heard: cells[2], does: cells[4], mounts: [] };
}

function update(row, channel) {
  const level = channel.sounding ? channel.rms_dbfs ?? FLOOR_DBFS : FLOOR_DBFS;
  row.mounts = channel.mounts ?? [];
  row.meter.value = level;
  row.meter.title = `${level.toFixed(1)} dBFS`;
  row.button.disabled = !choose(row.mounts);
  row.button.textContent = playing === channel.channel ? "stop" : "play";
  showHeard(channel.channel);
  const since = channel.since ? ` since ${new Date(channel.since).toLocaleString()}` : "";
  const why = channel.why ? `: ${channel.why}` : "";
  row.does.textContent = `${channel.sounding ? "sounds" : "silent"}${since}${why}${channel.muted ? ", muted" : ""}`;
}

function showHeard(channel) {
  const { heard } = rows.get(channel);
  const classes = hearing.of(channel);
  if (heard.textContent !== classes) heard.textContent = classes;
}

// The first mount that this browser plays. Icecast tells its own address; from another machine that is the server's.
function choose(mounts) {
  for (const [ending, type] of FORMATS) {
    const mount = player.canPlayType(type) && mounts.find((one) => new URL(one).pathname.endsWith(ending));
    if (mount) {
      const url = new URL(mount);
      if (LOOPBACK.includes(url.hostname)) url.hostname = location.hostname;
      return url.href;
    }
  }
  return "";
}

function play(name) {
  playing = name;
  player.src = choose(rows.get(name).mounts);
  player.play().catch((error) => {
    if (playing === name && error.name !== "AbortError") failed(error.message);
  });
}

function stop() {
  playing = "";
  player.removeAttribute("src");
  player.load(); // which ends the connection
}

function failed(why) {
  element("state").value = `${playing} cannot be played: ${why}`;
  stop();
}

player.addEventListener("error", () => playing && failed(player.error?.message ?? "no connection"));
player.addEventListener("ended", () => playing && failed("it has ended"));

async function follow() {
  for (;;) {
    try {
      await look();
    } catch (error) {
      element("state").value = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? HIDDEN_MS : LOOK_MS));
  }
}

follow();
element("access").addEventListener("submit", (event) => event.preventDefault()); // the next look takes it
