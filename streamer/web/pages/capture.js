// The page that lets a browser's microphone be heard.

import { Socket } from "/assets/socket.js";

const MAX_BUFFERED_BYTES = 1 << 19; // five seconds: what is older is worth nothing live
const FLOOR_DBFS = -60;
const ANSWERS_MS = 10_000;

const element = (id) => document.getElementById(id);
let session = null; // what runs: { socket, context, stream }
let sentFrames = 0, droppedFrames = 0;

function say(text) { element("state").value = text; }

async function listMicrophones() {
  if (!navigator.mediaDevices) return say("a browser gives a page its microphone on https or localhost only");
  const chosen = element("microphone").value;
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "audioinput");
  element("microphone").replaceChildren(
    new Option("the usual one", ""),
    ...devices.filter(({ deviceId }) => deviceId).map(({ label, deviceId }) => new Option(label || "a microphone", deviceId)),
  );
  element("microphone").value = chosen;
}

async function start() {
  const deviceId = element("microphone").value;
  // Nothing made nicer for telephony: birds are noise to it.
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: deviceId ? { ...audio, deviceId: { exact: deviceId } } : audio });
  const context = new AudioContext();
  session = { stream, context, socket: null };
  stream.getAudioTracks()[0].addEventListener("ended", () => stop("the microphone is gone"));
  await context.resume();
  await context.audioWorklet.addModule("/assets/pcm16_worklet.js");
  const worklet = new AudioWorkletNode(context, "pcm16", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  context.createMediaStreamSource(stream).connect(worklet);
  worklet.port.onmessage = ({ data }) => send(data);
  const token = element("token").value.trim();
  session.socket = new Socket(location.origin, { auth: token ? { token } : null, onState: onState });
  session.socket.on("sys", onSys);
  listMicrophones(); // their names are told now
}

function onState(state, why) {
  if (state === "connected") {
    const described = { samplerate: session.context.sampleRate, storage: element("storage").checked };
    session.socket.emit("sys", { sys: { subscribe: { channels: [], form: "brief" } } }); // but for our own
    session.socket.emit("sys", { sys: { add_livestream: described } });
    session.opening = setTimeout(() => stop("the server does not answer"), ANSWERS_MS);
  } else if (session) {
    session.open = false;
    clearTimeout(session.opening);
    if (state === "refused") stop(`refused: ${why}`);
    else say(`${why}; trying again`);
  }
}

function onSys(answer) {
  if (!session) return;
  if (Array.isArray(answer)) element("heard").textContent = answer.at(-1).analysis.result.join(", ").replaceAll("_", " ");
  else if (answer.portname) {
    clearTimeout(session.opening);
    session.open = true;
    say(`heard as ${answer.portname}${answer.filename ? `, kept as ${answer.filename}` : ""}`);
  } else if (answer.error && session.open) say(answer.error); // the next samples open another stream
  else if (answer.error) stop(answer.error);
}

function send({ pcm, peak }) {
  element("level").value = Math.max(FLOOR_DBFS, 20 * Math.log10(peak || 1e-9));
  if (!session?.open) return;
  const { socket, context } = session;
  const frames = pcm.byteLength / 2;
  const sent = socket.bufferedBytes < MAX_BUFFERED_BYTES
    && socket.emit("audio", { buffer: pcm, samplerate: context.sampleRate, storage: element("storage").checked });
  if (sent) sentFrames += frames;
  else droppedFrames += frames;
  element("sent").textContent = (sentFrames / context.sampleRate).toFixed(0);
  element("dropped").textContent = (droppedFrames / context.sampleRate).toFixed(0);
}

function stop(why) {
  if (!session) return say(why);
  const { socket, context, stream, opening } = session;
  session = null;
  clearTimeout(opening);
  socket?.emit("sys", { sys: { del_livestream: "" } });
  socket?.close();
  stream.getTracks().forEach((track) => track.stop());
  context.close();
  element("level").value = FLOOR_DBFS;
  running(false);
  say(why);
}

function running(isRunning) {
  for (const id of ["start", "microphone", "token", "storage"]) element(id).disabled = isRunning;
  element("stop").disabled = !session;
  if (isRunning) element("figures").hidden = false;
}

element("settings").addEventListener("submit", async (event) => {
  event.preventDefault();
  running(true);
  sentFrames = droppedFrames = 0;
  say("starting");
  try {
    await start();
    running(true);
  } catch (error) {
    if (session) stop(`no microphone: ${error.message}`);
    else { running(false); say(`no microphone: ${error.message}`); }
  }
});
element("stop").addEventListener("click", () => stop("stopped"));
listMicrophones();
