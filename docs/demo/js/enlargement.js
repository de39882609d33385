// Enlargement: one picture by the network, part by part; features are kept.

import { cubic } from "./cubic.js";
import { Axis, columnTable, rowTable } from "./grid.js";
import { grown, parts, strips } from "./tiles.js";

// Features beyond this are made again for another size: they would not fit.
const KEPT_BYTES = 320 * 2 ** 20;

// Cubic output beyond this many pixels is computed twice, not kept.
const KEPT_OUTPUT = 8e6;

// How far a pixel of the network's last layer looks.
const RING = 1;

export class Enlargement {
  // `picture` has data (RGBA in bytes), width and height.
  constructor(network, picture) {
    Object.assign(this, { network, picture, kept: new Map() });
    const bytes = 4 * network.about.channels * picture.width * picture.height;
    this.keeps = bytes <= KEPT_BYTES;
    this.encoded = 0;
  }

  // Windows of the output, as { kind: "cubic" | "network", window, pixels, progress }, cubic
  // ones first: they are there at once. Pixels are RGBA in bytes.
  async *made(size) {
    const { picture, network } = this;
    const { support } = network.about;
    const inShape = [picture.height, picture.width];
    const outShape = [size.height, size.width];
    const axes = { y: new Axis(inShape[0], outShape[0], support), x: new Axis(inShape[1], outShape[1], support) };
    const four = { y: new Axis(inShape[0], outShape[0], 4), x: new Axis(inShape[1], outShape[1], 4) };
    const all = parts(inShape, outShape, network.about).map((part) => ({
      ...part,
      strips: strips(part, axes, network.about.channels),
    }));
    const work = this.work(all);
    const keeps = size.width * size.height <= KEPT_OUTPUT;
    const bases = new Map();
    for (const part of all) {
      for (const window of part.strips) {
        const base = cubic(picture, four, window);
        if (keeps) bases.set(window, base);
        yield { kind: "cubic", window, pixels: bytes(base), progress: work.done() };
      }
    }
    for (const part of all) {
      const features = await this.features(part);
      yield { kind: "features", progress: work.done(work.encoding(part)) };
      for (const window of part.strips) {
        const base = bases.get(window) ?? cubic(picture, four, window);
        bases.delete(window);
        await this.add(base, features, part, axes, window);
        yield { kind: "network", window, pixels: bytes(base), progress: work.done(area(window)) };
      }
    }
  }

  // Counts what is done, in output pixels; an encoded pixel is worth several.
  work(all) {
    const { channels } = this.network.about;
    const encoding = (part) => (this.kept.has(key(part)) ? 0 : (area(part.image) * channels) / 4);
    const costs = new Map(all.map((part) => [part, encoding(part)]));
    let total = 0;
    for (const part of all) total += costs.get(part) + area(part.out);
    let sum = 0;
    return { encoding: (part) => costs.get(part), done: (more = 0) => (sum += more) / total };
  }

  async features(part) {
    const name = key(part);
    let found = this.kept.get(name);
    if (!found) {
      const { image, features } = part;
      const [height, width] = shapeOf(image);
      const made = await this.network.encode(planes(this.picture, image), height, width);
      this.encoded++;
      found = cut(made, image, features, this.network.about.channels);
      if (this.keeps) this.kept.set(name, found);
    }
    return found;
  }

  // Add what the network makes to a window of the cubic output.
  async add(base, features, part, axes, window) {
    const { about } = this.network;
    const around = grown(window, RING, axes.y.outSize, axes.x.outSize);
    const x = columnTable(axes.x, around.left, around.right);
    const y = rowTable(axes.y, around.top, around.bottom, about.block);
    const near = { top: y.low, bottom: y.low + y.size, left: x.low, right: x.low + x.size };
    const given = cut(features, part.features, near, about.channels);
    const shape = [y.size, x.size, about.channels];
    const pixel = [axes.y.down / axes.y.up, axes.x.down / axes.x.up];
    const rest = await this.network.land(given, shape, x, y, pixel);
    const [rows, columns] = shapeOf(window);
    const [height, width] = shapeOf(around);
    const skipped = (window.top - around.top) * width + window.left - around.left;
    for (let channel = 0, to = 0; channel < 3; channel++) {
      for (let row = 0; row < rows; row++) {
        const from = (channel * height + row) * width + skipped;
        for (let column = 0; column < columns; column++, to++) base[to] += rest[from + column];
      }
    }
  }
}

const key = ({ core }) => Object.values(core).join();
const shapeOf = ({ top, bottom, left, right }) => [bottom - top, right - left];
const area = (window) => shapeOf(window).reduce((a, b) => a * b);

// A window of features [h, w, channels] given as their window `around`; zeros beyond it.
function cut(features, around, window, channels) {
  const [rows, columns] = shapeOf(window);
  const out = new Float32Array(rows * columns * channels);
  const width = around.right - around.left;
  const left = Math.max(window.left, around.left);
  const right = Math.min(window.right, around.right);
  const top = Math.max(window.top, around.top);
  for (let row = top; row < Math.min(window.bottom, around.bottom); row++) {
    const from = ((row - around.top) * width + left - around.left) * channels;
    const to = ((row - window.top) * columns + left - window.left) * channels;
    out.set(features.subarray(from, from + (right - left) * channels), to);
  }
  return out;
}

// A window of the picture as [3, rows, columns] in 0..1.
function planes({ data, width }, window) {
  const [rows, columns] = shapeOf(window);
  const out = new Float32Array(3 * rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = 4 * ((window.top + row) * width + window.left + column);
      const to = row * columns + column;
      for (let channel = 0; channel < 3; channel++) {
        out[channel * rows * columns + to] = data[from + channel] / 255;
      }
    }
  }
  return out;
}

// RGBA in bytes, rounded and clipped.
function bytes(values) {
  const size = values.length / 3;
  const out = new Uint8ClampedArray(4 * size).fill(255);
  for (let i = 0; i < size; i++) {
    for (let channel = 0; channel < 3; channel++) {
      out[4 * i + channel] = 255 * values[channel * size + i];
    }
  }
  return out;
}
