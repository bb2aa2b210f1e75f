// The page of `aufer live --web`: hears messages and pictures from this machine, and shows them.
import { BIN_MS, MINUTE_MS, complete, drawPicture, drawTimeline, lineOf, markOf } from "./live-drawing.js";
import { percent, place, runs } from "./live-drawing.js";
import { learnUnits, showUnits } from "./live-units.js";

const PATIENCE_MS = 2000; // without a message for so long, there is no picture
const SAID_EVERY_MS = 4000; // to a screen reader
const FORGOTTEN_MS = 5000; // a face that was chosen and left
const element = (id) => document.getElementById(id);
const picture = element("picture");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

let expressions = []; // [{name, word, colour, mark, dash, ink}] in the order of scores
let byWord = new Map();
let latest = null; // the newest message
let heardAt = 0;
let seen = null; // the message that the figures show; stays while paused
let shown = null; // {bitmap, message} on the canvas
let next = null; // the newest picture that isn't decoded yet
let recent = new Map(); // seq -> message, for pictures that follow
let history = new Map(); // face's id, or 0 for the largest -> [{bin, n, sums}]
let lastSeen = new Map(); // face's id -> when
let chosen = 0; // a face's id; 0: the largest
let isConnected = false;
let hasFailed = false;
let pausedAt = 0;
let isMirrored = false;
let isDecoding = false;
let isDue = false;
let said = { text: "", at: 0 };

// --- what is heard ---

function connect(wait = 500) {
  const socket = new WebSocket(`ws://${location.host}/stream`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    isConnected = true;
    wait = 500;
    recent.clear(); // another run counts from 0
  };
  socket.onmessage = ({ data }) => (typeof data === "string" ? hear(JSON.parse(data)) : see(data));
  socket.onclose = () => {
    isConnected = false;
    hasFailed = true;
    setTimeout(() => connect(Math.min(wait * 2, 8000)), wait);
  };
}

function hear(text) {
  if (text.expressions) return learnUnits(text.units), learn(text.expressions.map(complete));
  if (text.status) return showStatus(text.status);
  const now = performance.now();
  latest = text;
  heardAt = now;
  recent.set(text.seq, text);
  if (recent.size > 90) recent.delete(recent.keys().next().value);
  text.faces.forEach((face, rank) => {
    lastSeen.set(face.id, now);
    record(face.id, face.scores, now);
    if (rank === 0) record(0, face.scores, now);
  });
  if (pausedAt) return;
  seen = latest;
  if (shown?.bitmap && now - shown.at < PATIENCE_MS) return;
  shown = { bitmap: null, message: latest, at: 0 }; // messages come, but no pictures
  draw();
}

function record(id, scores, now) {
  const bin = Math.floor(now / BIN_MS);
  if (!history.has(id)) history.set(id, []);
  const bins = history.get(id);
  if (bins.at(-1)?.bin !== bin) bins.push({ bin, n: 0, sums: scores.map(() => 0) });
  const last = bins.at(-1);
  last.n += 1;
  scores.forEach((score, at) => (last.sums[at] += score));
  while (bins[0].bin < bin - (2 * MINUTE_MS) / BIN_MS) bins.shift();
}

/** A binary message: the number of its message, and a JPEG. Only the newest one is decoded. */
async function see(data) {
  next = data;
  if (isDecoding || pausedAt || document.hidden) return;
  isDecoding = true;
  while (next && !pausedAt) {
    const [seq, jpeg] = [new DataView(next).getUint32(0), new Blob([new Uint8Array(next, 4)], { type: "image/jpeg" })];
    next = null;
    const bitmap = await createImageBitmap(jpeg).catch(() => null);
    const message = recent.get(seq) ?? latest;
    if (!bitmap || !message || pausedAt) continue;
    shown?.bitmap?.close();
    shown = { bitmap, message, at: performance.now() };
    draw();
  }
  isDecoding = false;
}

// --- what is shown ---

function learn(heard) {
  expressions = heard;
  byWord = new Map(heard.map((expression) => [expression.word, expression]));
  element("bars").replaceChildren(...heard.map((expression) => {
    const row = document.createElement("tr");
    row.innerHTML = '<th scope="row"></th><td><div class="track" aria-hidden="true"><div></div></div></td><td>–</td>';
    row.cells[0].append(markOf(expression), expression.word);
    row.querySelector(".track div").style.background = expression.colour;
    return row;
  }));
  element("legend").replaceChildren(...heard.map((expression) => {
    const item = document.createElement("li");
    item.append(markOf(expression), lineOf(expression), expression.word);
    return item;
  }));
}

function write(id, text) {
  const target = typeof id === "string" ? element(id) : id;
  if (target.textContent !== text) target.textContent = text;
}

function showStatus(status) {
  write("source", status.title ?? "");
  write("model", status.model ? `Model: ${status.model}` : "");
  for (const name of ["clients", "viewers", "dropped"]) write(name, `${status[name] ?? "–"}`);
  element("recording").hidden = !status.recording;
  write("recording", typeof status.recording === "string" ? `Recording: ${status.recording}` : "Recording");
  document.title = status.title ? `${status.title} – aufer live` : "aufer live";
}

/** Draw soon, once, whatever came until then. */
function draw() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    if (!shown || !expressions.length) return;
    drawPicture(picture, shown, byWord, followed()?.id, isMirrored);
  });
}

const followed = () => (chosen ? seen?.faces.find((face) => face.id === chosen) : seen?.faces[0]);

/** Whether something is on: "live" or "paused", else why not. */
function showState() {
  const silent = performance.now() - heardAt;
  const lost = hasFailed ? "lost" : "connecting";
  const state = !isConnected ? lost : pausedAt ? "paused" : !latest ? "connecting" : silent > PATIENCE_MS ? "none" : "live";
  const words = { lost: "Not connected", paused: "Paused", connecting: "Connecting", none: "No picture", live: "Live" };
  const notices = {
    lost: "Not connected: aufer live has ended or can’t be reached. Trying again.",
    connecting: "Waiting for a picture",
    none: `No picture: nothing came for ${Math.round(silent / 1000)} s.`,
  };
  element("state").dataset.state = state;
  write("state", words[state]);
  write("notice", notices[state] ?? "");
  element("frame").classList.toggle("stale", state === "lost" || state === "none");
  return state === "live" || state === "paused" ? state : "";
}

/** Figures, bars and words: a few times a second, so that they can be read. */
function showFigures() {
  const now = performance.now();
  if (!pausedAt && chosen && now - (lastSeen.get(chosen) ?? 0) > FORGOTTEN_MS) choose(0);
  for (const [id, at] of lastSeen) {
    if (now - at > 2 * MINUTE_MS) lastSeen.delete(id) && history.delete(id);
  }
  const state = showState();
  if (!seen) return;
  const face = state ? followed() : undefined;
  const expression = face && byWord.get(face.expression);
  if (!isConnected) for (const name of ["clients", "viewers", "dropped"]) write(name, "–");
  write("fps", state ? seen.fps.toFixed(1) : "–");
  write("face-count", state ? `${seen.faceCount}` : "–");
  const none = chosen ? `Face ${chosen} isn’t in the picture` : "No face in the picture";
  write("face-title", face ? `Face ${face.id}${chosen ? "" : ", the largest"}` : state ? none : "No picture");
  if (element("answer").dataset.word !== (face?.expression ?? "")) {
    element("answer").dataset.word = face?.expression ?? "";
    const score = document.createElement("span");
    score.className = "score";
    element("answer").replaceChildren(...(face ? [markOf(expression), face.expression, score] : []));
  }
  if (face) write(element("answer").querySelector(".score"), percent(face.confidence));
  expressions.forEach(({ word }, at) => {
    const row = element("bars").rows[at];
    row.classList.toggle("top", word === face?.expression);
    row.querySelector(".track div").style.width = `${(face?.scores[at] ?? 0) * 100}%`;
    write(row.cells[2], face ? percent(face.scores[at]) : "–");
  });
  showUnits(face);
  showFaces(now);
  if (state === "live") say(face, now);
  else if (!state) said = { text: "", at: 0 };
}

function showFaces(now) {
  const here = [...lastSeen].filter(([id, at]) => now - at < PATIENCE_MS || id === chosen).map(([id]) => id);
  if (pausedAt) here.splice(0, here.length, ...seen.faces.map((face) => face.id));
  const wanted = [0, ...here.sort((a, b) => a - b)];
  const list = element("faces");
  for (const label of [...list.children]) if (!wanted.includes(+label.firstChild.value)) label.remove();
  wanted.forEach((id, at) => {
    if (+list.children[at]?.firstChild.value === id) return;
    const label = document.createElement("label");
    label.innerHTML = '<input type="radio" name="face"><span></span>';
    label.firstChild.value = id;
    label.lastChild.textContent = id ? `Face ${id}` : "Largest";
    list.insertBefore(label, list.children[at] ?? null);
  });
  for (const input of list.querySelectorAll("input")) input.checked = +input.value === chosen;
}

/** For a screen reader: the expression, when it is another one, and not too often. */
function say(face, now) {
  const count = seen.faceCount === 1 ? "1 face" : `${seen.faceCount} faces`;
  const text = face ? `Face ${face.id}: ${face.expression}` : "No face";
  if (text === said.text || now - said.at < SAID_EVERY_MS) return;
  said = { text, at: now };
  write("said", text);
  const each = seen.faces.map(({ id, expression }) => ` Face ${id}: ${expression}.`).join("");
  picture.setAttribute("aria-label", `Picture with ${count}.${each}`);
}

function showPast() {
  if (!expressions.length) return;
  const now = pausedAt || performance.now();
  const newest = Math.floor(now / BIN_MS);
  const bins = (history.get(chosen) ?? [])
    .filter(({ bin }) => bin <= newest && bin > newest - MINUTE_MS / BIN_MS)
    .map(({ bin, n, sums }) => ({ bin, scores: sums.map((sum) => sum / n) }));
  write("past-title", `The last minute: ${chosen ? `face ${chosen}` : "the largest face"}`);
  drawTimeline(element("timeline"), bins, expressions, now);
  const lasted = expressions.map(() => 0);
  for (const { top, from, to } of runs(bins)) lasted[top] += to - from + 1;
  const total = lasted.reduce((sum, each) => sum + each, 0);
  const order = lasted.map((each, at) => [each / total, expressions[at].word]).filter(([share]) => share >= 0.005);
  const text = order.sort((a, b) => b[0] - a[0]).map(([share, word]) => `${word} ${percent(share)}`).join(", ");
  write("shares", text ? `Highest score: ${text} of the time.` : "Nothing in the last minute.");
}

// --- what the user does ---

function choose(id) {
  chosen = id;
  said.at = 0;
  draw();
  showFigures();
  showPast();
}

function pause() {
  pausedAt = pausedAt ? 0 : performance.now();
  element("pause").setAttribute("aria-pressed", `${Boolean(pausedAt)}`);
  if (!pausedAt && next) see(next);
  draw();
}

function step(by) {
  const ids = [...element("faces").querySelectorAll("input")].map((input) => +input.value);
  choose(ids[(ids.indexOf(chosen) + by + ids.length) % ids.length] ?? 0);
}

element("pause").onclick = pause;
element("mirror").onclick = () => {
  isMirrored = !isMirrored;
  element("mirror").setAttribute("aria-pressed", `${isMirrored}`);
  draw();
};
element("faces").onchange = ({ target }) => choose(+target.value);
picture.onclick = ({ offsetX, offsetY }) => {
  const hit = shown?.message.faces.find((face) => {
    const [x, y, width, height] = place(face, shown.message, picture, isMirrored);
    return offsetX >= x && offsetX <= x + width && offsetY >= y && offsetY <= y + height;
  });
  choose(hit?.id ?? 0);
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("button, input, a")) return;
  const act = { " ": pause, ArrowLeft: () => step(-1), ArrowRight: () => step(1), Escape: () => choose(0) }[event.key];
  if (!act || (event.key === " " && event.repeat)) return;
  event.preventDefault();
  act();
});
document.addEventListener("visibilitychange", () => next && see(next));
addEventListener("resize", () => [draw(), showPast()]);

connect();
setInterval(showFigures, 125);
setInterval(() => calm.matches || showPast(), BIN_MS);
setInterval(() => calm.matches && showPast(), 2000);
