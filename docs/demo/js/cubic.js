// Cubic resizing (a = -1/2) of three channels, edges repeated: what the network adds to.

function weightAt(distance) {
  const d = Math.abs(distance);
  if (d <= 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

// For each output pixel four input pixels and their weights.
function axisTable(axis, start, stop) {
  const source = new Int32Array(4 * (stop - start));
  const weight = new Float64Array(source.length);
  for (let n = start, i = 0; n < stop; n++) {
    const first = axis.firstNeighbor(n);
    for (let tap = 0; tap < 4; tap++, i++) {
      source[i] = Math.min(Math.max(first + tap, 0), axis.inSize - 1);
      weight[i] = weightAt(axis.distance(n, first + tap));
    }
  }
  return { source, weight };
}

// A window of the output, [3, rows, columns] in 0..1, of a picture in bytes (RGBA). Both
// axes have a support of 4 pixels.
export function cubic(picture, axes, window) {
  const { data, width } = picture;
  const { top, bottom, left, right } = window;
  const y = axisTable(axes.y, top, bottom);
  const x = axisTable(axes.x, left, right);
  const rows = bottom - top;
  const columns = right - left;
  const line = new Float64Array(3 * width);
  const reached = { from: x.source.at(0), to: x.source.at(-1) + 1 };
  const out = new Float32Array(3 * rows * columns);
  for (let row = 0; row < rows; row++) {
    mix(line, data, width, reached, y, 4 * row);
    for (let column = 0; column < columns; column++) {
      const i = 4 * column;
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap++) {
          sum += x.weight[i + tap] * line[3 * x.source[i + tap] + channel];
        }
        out[(channel * rows + row) * columns + column] = sum;
      }
    }
  }
  return out;
}

// One output row before it is resized along x, in the columns that are reached.
function mix(line, data, width, reached, { source, weight }, i) {
  const from = [0, 1, 2, 3].map((tap) => 4 * width * source[i + tap]);
  const by = [0, 1, 2, 3].map((tap) => weight[i + tap] / 255);
  for (let column = reached.from, to = 3 * column; column < reached.to; column++) {
    for (let channel = 0; channel < 3; channel++, to++) {
      const at = 4 * column + channel;
      line[to] =
        by[0] * data[from[0] + at] + by[1] * data[from[1] + at] +
        by[2] * data[from[2] + at] + by[3] * data[from[3] + at];
    }
  }
}
