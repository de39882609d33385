// The figures of the kernel: drawn in the colours of the page, sharp on any screen.

// A canvas prepared for drawing: its context and its size in CSS pixels.
function prepared(canvas) {
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  return { context, width, height, colours: colours() };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["ink", "quiet", "line", "mark", "accent", "positive", "negative", "zero"];
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}

const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// A colour for a value in -1..1.
function shade(value, { positive, negative, zero }) {
  const from = rgb(zero);
  const to = rgb(value < 0 ? negative : positive);
  const share = Math.min(1, Math.abs(value)) ** 0.8;
  return from.map((one, i) => Math.round(one + share * (to[i] - one)));
}

// Maps input pixels to the canvas and back, with equal units on both axes.
function mapped(width, height, span, margin) {
  const unit = Math.min((width - 2 * margin) / span.x, (height - 2 * margin) / span.y);
  const left = (width - unit * span.x) / 2 + unit * span.before;
  const top = (height - unit * span.y) / 2 + unit * span.before;
  return {
    unit,
    x: (value) => left + unit * value,
    y: (value) => top + unit * value,
    back: (x, y) => ({ x: (x - left) / unit, y: (y - top) / unit }),
  };
}

export function drawGrid(canvas, { axes, pixel }, taps, filter) {
  const { context, width, height, colours: c } = prepared(canvas);
  const pad = 2; // input pixels around the input, which supports reach
  const span = { x: axes.x.inSize + 2 * pad, y: axes.y.inSize + 2 * pad, before: pad + 0.5 };
  const map = mapped(width, height, span, 4);
  canvas.drawn = { axes, map };
  context.strokeStyle = c.line;
  for (let y = 0; y < axes.y.inSize; y++) {
    for (let x = 0; x < axes.x.inSize; x++) {
      context.strokeRect(map.x(x - 0.5), map.y(y - 0.5), map.unit, map.unit);
      dot(context, map.x(x), map.y(y), 2.5, c.quiet);
    }
  }
  const at = { x: position(axes.x, pixel.x), y: position(axes.y, pixel.y) };
  const half = axes.x.support / 2;
  const place = [map.x(at.x), map.y(at.y)];
  taps.y.forEach((y, i) =>
    taps.x.forEach((x, j) => {
      const value = filter[i][j];
      context.strokeStyle = value < 0 ? c.negative : c.positive;
      context.lineWidth = 0.4 + 5 * Math.abs(value);
      line(context, ...place, map.x(x.pixel), map.y(y.pixel));
      const inside = y.pixel >= 0 && y.pixel < axes.y.inSize && x.pixel >= 0 && x.pixel < axes.x.inSize;
      if (!inside) dot(context, map.x(x.pixel), map.y(y.pixel), 2.5, c.line);
    }),
  );
  context.lineWidth = 2;
  context.strokeStyle = c.accent;
  context.strokeRect(map.x(at.x - half), map.y(at.y - half), 2 * half * map.unit, 2 * half * map.unit);
  context.strokeStyle = c.mark;
  context.lineWidth = 1.5;
  for (let row = 0; row < axes.y.outSize; row++) {
    for (let column = 0; column < axes.x.outSize; column++) {
      cross(context, map.x(position(axes.x, column)), map.y(position(axes.y, row)), 3.5);
    }
  }
  context.lineWidth = 3;
  cross(context, ...place, 7);
}

export function drawHeat(canvas, count, level, half, taps) {
  const { context, width, height, colours: c } = prepared(canvas);
  const map = mapped(width, height, { x: 2 * half, y: 2 * half, before: half }, 24);
  const image = new ImageData(count, count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) image.data.set([...shade(level(i, j), c), 255], 4 * (i * count + j));
  }
  const small = new OffscreenCanvas(count, count);
  small.getContext("2d").putImageData(image, 0, 0);
  // Samples lie on the edges, so the outer ones are half outside.
  const step = (2 * half) / (count - 1);
  const side = count * step * map.unit;
  const box = [map.x(-half), map.y(-half), 2 * half * map.unit, 2 * half * map.unit];
  context.save();
  context.beginPath();
  context.rect(...box);
  context.clip();
  context.drawImage(small, map.x(-half - step / 2), map.y(-half - step / 2), side, side);
  context.restore();
  context.strokeStyle = c.line;
  context.strokeRect(...box);
  context.fillStyle = c.quiet;
  for (let tick = -half; tick <= half; tick++) {
    context.fillText(tick, map.x(tick), map.y(half) + 12);
    context.fillText(tick, map.x(-half) - 12, map.y(tick));
  }
  for (const y of taps.y) {
    for (const x of taps.x) {
      context.lineWidth = 2;
      context.strokeStyle = c.ink;
      context.beginPath();
      context.arc(map.x(x.distance), map.y(y.distance), 5, 0, 2 * Math.PI);
      context.stroke();
    }
  }
}

export function drawFilter(canvas, filter) {
  const { context, width, height, colours: c } = prepared(canvas);
  const [rows, columns] = [filter.length, filter[0].length];
  const map = mapped(width, height, { x: columns, y: rows, before: 0 }, 16);
  filter.forEach((line, i) =>
    line.forEach((value, j) => {
      const colour = shade(value, c);
      context.fillStyle = `rgb(${colour})`;
      context.fillRect(map.x(j), map.y(i), map.unit - 1, map.unit - 1);
      const light = colour[0] * 0.3 + colour[1] * 0.59 + colour[2] * 0.11;
      context.fillStyle = light > 130 ? "#111" : "#fff";
      context.fillText(value.toFixed(2), map.x(j + 0.5), map.y(i + 0.5));
    }),
  );
}

export function drawCut(canvas, fine, curve, stems, half) {
  const { context, width, height, colours: c } = prepared(canvas);
  const margin = 26;
  const x = (value) => margin + ((value + half) / (2 * half)) * (width - 2 * margin);
  const y = (value) => height / 2 - value * (height / 2 - margin);
  context.strokeStyle = c.line;
  line(context, x(-half), y(0), x(half), y(0));
  context.fillStyle = c.quiet;
  for (let tick = -half; tick <= half; tick++) context.fillText(tick, x(tick), height - 12);
  context.strokeStyle = c.accent;
  context.lineWidth = 2;
  context.beginPath();
  curve.forEach((value, i) => context.lineTo(x(fine[i]), y(value)));
  context.stroke();
  for (const { distance, value, weight } of stems) {
    context.strokeStyle = c.mark;
    context.lineWidth = 3;
    line(context, x(distance), y(0), x(distance), y(value));
    dot(context, x(distance), y(value), 5, weight < 1 ? c.zero : c.mark);
    context.stroke();
  }
}

const position = (axis, n) => axis.position(n) / axis.unit;

function dot(context, x, y, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function cross(context, x, y, size) {
  line(context, x - size, y - size, x + size, y + size);
  line(context, x - size, y + size, x + size, y - size);
}
