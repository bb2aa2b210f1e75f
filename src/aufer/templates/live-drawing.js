// What is drawn on the page's canvases: the picture with its boxes, and the last minute.
// Each expression has a colour, a mark and a dash, so that nobody needs to tell colours apart.

const MARKS = { // paths in a square from -8 to 8
  angry: "M0-7 7 6H-7Z",
  disgust: "M0-7.5 7.5 0 0 7.5-7.5 0Z",
  fear: "M-2.5-7h5v4.5H7v5H2.5V7h-5V2.5H-7v-5h4.5Z",
  happy: "M-6.5 0a6.5 6.5 0 1 0 13 0a6.5 6.5 0 1 0-13 0Z",
  sad: "M0 7-7-6H7Z",
  surprise: "M0-8 2.3-2.8 8-2.3 3.7 1.5 5 7 0 4.1-5 7-3.7 1.5-8-2.3-2.3-2.8Z",
  neutral: "M-7.5-3h15v6h-15Z",
};
const OTHER_MARK = "M-6-6H6V6H-6Z";
const DASHES = {
  angry: [], disgust: [14, 5], fear: [3, 4], happy: [24, 5], sad: [12, 4, 3, 4], surprise: [7, 4],
  neutral: [20, 4, 3, 4, 3, 4],
};
const DARK = "#101418";
export const BIN_MS = 250;
export const MINUTE_MS = 60000;

export const percent = (score) => `${Math.round(score * 100)} %`;

export function complete(expression) {
  const { name, colour } = expression;
  return { ...expression, mark: MARKS[name] ?? OTHER_MARK, dash: DASHES[name] ?? [9, 3, 3, 3], ink: inkOn(colour) };
}

/** Black or white: the one that is easier to read on a colour, by WCAG's contrast ratio. */
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return 1.05 / (light + 0.05) > (light + 0.05) / 0.057 ? "#ffffff" : DARK;
}

function svg(className, viewBox, ...paths) {
  const make = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const drawing = make("svg", { class: className, viewBox, "aria-hidden": "true" });
  drawing.append(...paths.map((attributes) => make("path", attributes)));
  return drawing;
}

export const markOf = (expression) =>
  svg("mark", "-8 -8 16 16", { d: expression.mark, fill: expression.colour });

/** How a box of it is drawn. */
export function lineOf(expression) {
  const line = { d: "M3 6H51" };
  const dashed = { class: "colour", stroke: expression.colour, "stroke-dasharray": expression.dash.join(" ") };
  return svg("dash", "0 0 54 12", { ...line, class: "dark" }, { ...line, class: "light" }, { ...line, ...dashed });
}

/** A canvas in the screen's own pixels, cleared; `draw` counts in CSS pixels. */
function onScreen(canvas, draw) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const size = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  draw(pen, width, height);
}

function drawMark(pen, expression, x, y, size, colour) {
  pen.save();
  pen.translate(x, y);
  pen.scale(size / 16, size / 16);
  pen.fillStyle = colour;
  pen.fill(new Path2D(expression.mark));
  pen.restore();
}

/** A face's box on the canvas: [x, y, width, height] in CSS pixels. */
export function place({ position }, message, canvas, mirrored) {
  const scale = canvas.clientWidth / message.frameWidth;
  const [x, y, width, height] = ["x", "y", "width", "height"].map((key) => position[key] * scale);
  return [mirrored ? canvas.clientWidth - x - width : x, y, width, height];
}

/** The picture (or none) with a box and a label for each face of its message. */
export function drawPicture(canvas, { bitmap, message }, expressions, chosenId, mirrored) {
  document.body.style.setProperty("--ratio", message.frameWidth / message.frameHeight);
  onScreen(canvas, (pen, width, height) => {
    if (bitmap) {
      pen.save();
      if (mirrored) pen.setTransform(-pen.getTransform().a, 0, 0, pen.getTransform().d, canvas.width, 0);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(bitmap, 0, 0, width, height);
      pen.restore();
    }
    const faces = [...message.faces].reverse(); // the largest on top
    for (const face of faces) {
      const box = place(face, message, canvas, mirrored);
      const line = (face.id === chosenId && faces.length > 1 ? 5 : 3) * (width < 420 ? 0.6 : 1);
      drawBox(pen, box, expressions.get(face.expression), line);
    }
    const taken = [];
    for (const face of message.faces) {
      const box = place(face, message, canvas, mirrored);
      drawLabel(pen, face, box, expressions.get(face.expression), [width, height], taken);
    }
  });
}

function drawBox(pen, [x, y, width, height], expression, line) {
  pen.lineJoin = "round";
  for (const [thickness, colour, dash] of [
    [line * 2 + 1, "rgb(0 0 0 / .55)", []],
    [line * 1.4, "#ffffff", []],
    [line, expression.colour, expression.dash],
  ]) {
    pen.lineWidth = thickness;
    pen.strokeStyle = colour;
    pen.setLineDash(dash);
    pen.strokeRect(x, y, width, height);
  }
  pen.setLineDash([]);
}

function drawLabel(pen, face, box, expression, [canvasWidth, canvasHeight], taken) {
  const size = Math.max(11, Math.min(17, canvasWidth / 38));
  const high = size * 1.75;
  const font = (weight) => `${weight} ${size}px system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif`;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  pen.font = font(600);
  const number = `${face.id}`;
  const chip = pen.measureText(number).width + size;
  pen.font = font(700);
  const text = `${face.expression} ${percent(face.confidence)}`;
  const wide = chip + size * 1.75 + pen.measureText(text).width + size * 0.6;
  const left = Math.max(2, Math.min(box[0] - 2, canvasWidth - wide - 2));
  const top = freePlace(box, left, wide, high, canvasHeight, taken);
  taken.push([left, top, wide, high]);
  const middle = top + high / 2 + 0.5;
  pen.save();
  pen.beginPath();
  pen.roundRect(left, top, wide, high, 5);
  pen.shadowColor = "rgb(0 0 0 / .5)";
  pen.shadowBlur = 5;
  pen.fillStyle = expression.colour;
  pen.fill();
  pen.shadowColor = "transparent";
  pen.clip();
  pen.fillStyle = DARK;
  pen.fillRect(left, top, chip, high);
  pen.fillStyle = expression.ink;
  pen.fillText(text, left + chip + size * 1.75, middle);
  pen.fillStyle = "#ffffff";
  pen.font = font(600);
  pen.fillText(number, left + size / 2, middle);
  pen.restore();
  drawMark(pen, expression, left + chip + size, middle - 0.5, size * 0.9, expression.ink);
}

/** Above the box, or else below or inside it: where no label of a larger face is. */
function freePlace([, y, , height], left, wide, high, canvasHeight, taken) {
  const tops = [y - high - 5, y + height + 5, y + 6, y + height - high - 6]
    .filter((top) => top >= 2 && top + high <= canvasHeight - 2);
  const isFree = (top) => taken.every(([x, y2, w, h]) =>
    left >= x + w || x >= left + wide || top >= y2 + h || y2 >= top + high);
  return tops.find(isFree) ?? tops[0] ?? 2;
}

/** The scores of the last minute, one over the other, and above them which was highest when.
 *  `bins`: [{bin, scores: [mean of each expression]}], oldest first; `now` in milliseconds. */
export function drawTimeline(canvas, bins, expressions, now) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  const [card, soft, track, edge] = ["card", "soft", "track", "edge"].map(colour);
  onScreen(canvas, (pen, width, height) => {
    const [wordsHigh, gap, axisHigh] = [24, 4, 20];
    const top = wordsHigh + gap;
    const bottom = height - axisHigh;
    const column = width / (MINUTE_MS / BIN_MS);
    const newest = Math.floor(now / BIN_MS);
    const left = (bin) => width - (newest - bin + 1) * column;
    pen.fillStyle = track;
    pen.fillRect(0, 0, width, wordsHigh);
    pen.fillRect(0, top, width, bottom - top);
    for (const piece of pieces(bins)) drawLayers(pen, piece, expressions, left, column, top, bottom, card);
    for (const run of runs(bins)) {
      drawRun(pen, expressions[run.top], left(run.from), (run.to - run.from + 1) * column, wordsHigh, card);
    }
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "alphabetic";
    pen.fillStyle = soft;
    for (const seconds of [60, 45, 30, 15, 0]) {
      const x = width * (1 - seconds / 60);
      pen.textAlign = seconds === 60 ? "left" : seconds ? "center" : "right";
      pen.fillText(seconds ? `−${seconds} s` : "now", x, height - 3);
      pen.fillStyle = edge;
      pen.fillRect(Math.min(x, width - 1), bottom, 1, 5);
      pen.fillStyle = soft;
    }
  });
}

/** Bins that follow each other, without the gaps in which there was no face. */
function pieces(bins) {
  const found = [];
  for (const each of bins) {
    if (each.bin - found.at(-1)?.at(-1).bin <= 2) found.at(-1).push(each);
    else found.push([each]);
  }
  return found;
}

function drawLayers(pen, piece, expressions, left, column, top, bottom, card) {
  const last = piece.length - 1;
  const x = piece.map(({ bin }, at) => left(bin) + (at === last ? column : at ? column / 2 : 0));
  if (!last) x.splice(0, 1, left(piece[0].bin), x[0]);
  const under = x.map(() => bottom);
  expressions.forEach(({ colour }, layer) => {
    const over = under.map((y, at) => y - (piece[Math.min(at, last)].scores[layer] * (bottom - top)));
    pen.beginPath();
    x.forEach((each, at) => pen.lineTo(each, over[at]));
    for (let at = x.length - 1; at >= 0; at -= 1) pen.lineTo(x[at], under[at]);
    pen.closePath();
    pen.fillStyle = colour;
    pen.fill();
    pen.beginPath();
    x.forEach((each, at) => pen.lineTo(each, under[at]));
    pen.strokeStyle = card;
    pen.lineWidth = 1;
    if (layer) pen.stroke();
    under.splice(0, under.length, ...over);
  });
}

/** How long one and the same expression was highest: [{top, from, to}] in bins. */
export function runs(bins) {
  const found = [];
  for (const { bin, scores } of bins) {
    const top = scores.indexOf(Math.max(...scores));
    const last = found.at(-1);
    if (last && last.top === top && bin - last.to <= 2) last.to = bin;
    else found.push({ top, from: bin, to: bin });
  }
  return found;
}

function drawRun(pen, expression, x, width, height, card) {
  pen.fillStyle = expression.colour;
  pen.fillRect(x, 0, width, height);
  pen.fillStyle = card;
  pen.fillRect(x, 0, 1, height);
  const from = Math.max(x, 0);
  const room = x + width - from;
  pen.font = "600 13px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = expression.ink;
  const fits = room > pen.measureText(expression.word).width + 32;
  if (room > 18) drawMark(pen, expression, from + (fits ? 14 : room / 2), height / 2, 11, expression.ink);
  if (fits) pen.fillText(expression.word, from + 25, height / 2 + 0.5);
}
