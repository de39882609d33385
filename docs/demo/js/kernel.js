// The tab of the kernel: one learned filter, and the grid that moves with the scale.

import { drawCut, drawFilter, drawGrid, drawHeat } from "./drawing.js";
import { Axis } from "./grid.js";

const $ = (id) => document.getElementById(id);
const INPUT = { x: 7, y: 4 };
const SAMPLES = 97;

export function startKernel(engine) {
  const tab = new Kernel(engine);
  engine.ready.then(
    ({ about }) => tab.begin(about),
    (error) => ($("kernel-status").textContent = `The network could not be loaded: ${error.message}.`),
  );
}

class Kernel {
  constructor(engine) {
    this.engine = engine;
  }

  begin(about) {
    this.about = about;
    about.pairs.forEach(([from, to], i) => $("pair").add(new Option(`channel ${from} to ${to}`, i)));
    for (const id of ["scale-x", "scale-y", "column", "row"]) $(id).oninput = () => this.update();
    $("pair").onchange = () => this.update();
    $("grid").addEventListener("pointerdown", (event) => this.choose(event));
    addEventListener("resize", () => this.update());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.update());
    this.update();
  }

  // The axes at the scales of the sliders: hundredths, so whole numbers.
  axes() {
    const axis = (name) => {
      const up = Math.round(100 * Number($(`scale-${name}`).value));
      const size = Math.ceil((INPUT[name] * up) / 100);
      return new Axis(INPUT[name], size, this.about.support, up, 100);
    };
    return { x: axis("x"), y: axis("y") };
  }

  update() {
    if ($("kernel").hidden || !this.about) return;
    const axes = this.axes();
    $("column").max = axes.x.outSize - 1;
    $("row").max = axes.y.outSize - 1;
    const pixel = { x: Number($("column").value), y: Number($("row").value) };
    for (const name of ["x", "y"]) {
      $(`scale-${name}-value`).textContent = `× ${Number($(`scale-${name}`).value).toFixed(2)}`;
    }
    $("column-value").textContent = pixel.x;
    $("row-value").textContent = pixel.y;
    this.wanted = { axes, pixel, pair: Number($("pair").value) };
    this.read();
  }

  // Read the function for what is wanted last; while one answer is awaited, no other.
  async read() {
    if (this.reading) return;
    this.reading = true;
    try {
      while (this.wanted) {
        const wanted = this.wanted;
        this.wanted = undefined;
        this.draw(wanted, await this.values(wanted));
      }
    } catch (error) {
      $("kernel-status").textContent = `The kernel could not be read: ${error.message}.`;
    } finally {
      this.reading = false;
    }
  }

  // The function on a fine grid and at the taps, along both axes.
  async values({ axes, pixel, pair }) {
    const half = this.about.support / 2;
    const fine = Float32Array.from({ length: SAMPLES }, (_, i) => half * ((2 * i) / (SAMPLES - 1) - 1));
    const taps = { x: tapsOf(axes.x, pixel.x), y: tapsOf(axes.y, pixel.y) };
    const at = (name) => [...fine, ...taps[name].map((tap) => tap.distance)];
    const [y, x] = [at("y"), at("x")];
    // Shrinking is none of this network's business: there it is shown as at 1.
    const scale = ["y", "x"].map((name) => Math.min(1, axes[name].down / axes[name].up));
    const { filters } = await this.engine.ask("filters", { y, x, pixel: scale });
    const size = y.length * x.length;
    const all = filters.subarray(pair * size, (pair + 1) * size);
    return { fine, taps, half, at: (row, column) => all[row * x.length + column] };
  }

  draw(wanted, values) {
    const { fine, taps, half, at } = values;
    const count = fine.length;
    let largest = 0;
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < count; j++) largest = Math.max(largest, Math.abs(at(i, j)));
    }
    const level = (row, column) => at(row, column) / largest;
    const filter = taps.y.map((y, i) =>
      taps.x.map((x, j) => level(count + i, count + j) * y.weight * x.weight),
    );
    // The row of taps that is nearest.
    const rows = taps.y.map((tap) => Math.abs(tap.distance));
    const row = rows.indexOf(Math.min(...rows));
    const curve = Array.from(fine, (_, j) => level(count + row, j));
    const stems = taps.x.map((tap, j) => ({ ...tap, value: level(count + row, count + j) }));
    drawGrid($("grid"), wanted, taps, filter);
    drawHeat($("heat"), count, level, half, taps);
    drawFilter($("filter"), filter);
    drawCut($("cut"), fine, curve, stems, half);
    this.tell(wanted, taps);
  }

  tell({ axes, pixel }, { x, y }) {
    const { x: ax, y: ay } = axes;
    const place = (axis, n) => (axis.position(n) / axis.unit).toFixed(2);
    const text =
      `${ay.inSize} × ${ax.inSize} pixels become ${ay.outSize} × ${ax.outSize}. Output pixel (${pixel.y}, ${pixel.x}) falls on ` +
      `(${place(ay, pixel.y)}, ${place(ax, pixel.x)}) and takes ${y.length} × ${x.length} input pixels.`;
    $("kernel-status").textContent = text;
    $("grid").setAttribute("aria-label", text);
  }

  choose(event) {
    const box = $("grid").getBoundingClientRect();
    const { axes, map } = $("grid").drawn;
    const at = map.back(event.clientX - box.left, event.clientY - box.top);
    for (const [id, name] of [["column", "x"], ["row", "y"]]) {
      const axis = axes[name];
      const n = (at[name] * axis.unit - axis.position(0)) / (2 * axis.down);
      $(id).value = Math.min(Math.max(Math.round(n), 0), axis.outSize - 1);
    }
    this.update();
  }
}

// The input pixels in the support of an output pixel, also those outside the input.
function tapsOf(axis, n) {
  const first = axis.firstNeighbor(n);
  return Array.from({ length: axis.support + 1 }, (_, tap) => ({
    pixel: first + tap,
    distance: axis.distance(n, first + tap),
    weight: axis.weight(n, first + tap),
  })).filter((tap) => tap.weight > 0);
}
