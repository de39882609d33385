// Where output pixels fall in the input, in whole numbers (Eq. 2), as in contconv.

// An axis of `inSize` pixels resized to `outSize` at the scale `up / down`; unless that
// is given, at outSize / inSize. Positions are whole multiples of 1 / (2 up) pixels.
export class Axis {
  constructor(inSize, outSize, support, up = outSize, down = inSize) {
    const common = gcd(up, down);
    Object.assign(this, { inSize, outSize, support });
    this.up = up / common;
    this.down = down / common;
    this.unit = 2 * this.up;
  }

  position(n) {
    const start = (this.inSize - 1) * this.up - (this.outSize - 1) * this.down;
    return 2 * n * this.down + start;
  }

  // The lowest input pixel in the support of output pixel n. Quotients of whole numbers
  // below 2^53 are rounded to a whole number only if they are one.
  firstNeighbor(n) {
    return Math.ceil((this.position(n) - this.support * this.up) / this.unit);
  }

  distance(n, pixel) {
    return (this.position(n) - this.unit * pixel) / this.unit;
  }

  // 1 within the support, 1/2 on its edge, 0 outside.
  weight(n, pixel) {
    const away = Math.abs(this.position(n) - this.unit * pixel);
    return (Math.sign(this.support * this.up - away) + 1) / 2;
  }

  // The most input pixels that any of these output pixels has in its support.
  taps(start = 0, stop = this.outSize) {
    for (let n = start; n < stop; n++) {
      if (this.weight(n, this.firstNeighbor(n)) === 0.5) return this.support + 1;
    }
    return this.support;
  }
}

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a;
}

// For output pixels start to stop: first neighbors counted from `low`, and for each tap
// its distance and its weight.
function taps(axis, start, stop) {
  const count = axis.taps(start, stop);
  const size = (stop - start) * count;
  const first = new Int32Array(stop - start);
  const distance = new Float32Array(size);
  const weight = new Float32Array(size);
  for (let n = start, i = 0; n < stop; n++) {
    const pixel = (first[n - start] = axis.firstNeighbor(n));
    for (let tap = 0; tap < count; tap++, i++) {
      distance[i] = axis.distance(n, pixel + tap);
      weight[i] = axis.weight(n, pixel + tap);
    }
  }
  return { count, first, distance, weight };
}

// What the head takes for columns: every tap of every column.
export function columnTable(axis, start, stop) {
  const { count, first, distance, weight } = taps(axis, start, stop);
  const low = first[0];
  const source = Int32Array.from(weight, (_, i) => first[Math.floor(i / count)] + (i % count) - low);
  const size = first.at(-1) - low + count;
  return { low, size, source, distance, weight, shape: [stop - start, count] };
}

// What the head takes for rows: blocks of `block` first neighbors, and in each the
// output rows that begin there, padded to as many in every block.
export function rowTable(axis, start, stop, block) {
  const { count, first, distance, weight } = taps(axis, start, stop);
  const low = first[0];
  const blocks = Math.floor((first.at(-1) - low) / block) + 1;
  const reached = block + count - 1;
  const filled = new Int32Array(blocks);
  for (const pixel of first) filled[Math.floor((pixel - low) / block)]++;
  const most = Math.max(...filled);
  filled.fill(0);
  const far = new Float32Array(blocks * most * reached);
  const counts = new Float32Array(far.length);
  const rows = first.map((pixel, n) => {
    const b = Math.floor((pixel - low) / block);
    const row = b * most + filled[b]++;
    const place = row * reached + pixel - low - b * block;
    for (let tap = 0; tap < count; tap++) {
      far[place + tap] = distance[n * count + tap];
      counts[place + tap] = weight[n * count + tap];
    }
    return row;
  });
  const source = new Int32Array(blocks * reached);
  source.forEach((_, i) => (source[i] = Math.floor(i / reached) * block + (i % reached)));
  const size = (blocks - 1) * block + reached;
  const shape = [blocks, most, reached];
  return { low, size, source, distance: far, weight: counts, rows, shape };
}
