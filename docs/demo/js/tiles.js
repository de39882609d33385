// How a picture is taken apart, so that parts equal the whole.

// Input pixels of a part that is encoded at once: larger parts repeat less of their
// surroundings, but show less progress, and take more memory.
const ENCODED = 136 * 1024;
// Numbers that the head may hold between its two steps.
const HELD = 6 * 1024 * 1024;
const LEAST_COLUMNS = 16;

// Parts of the input for the encoder: each with the window of the features that the head
// takes for it, and the window of the picture that those features depend on.
export function parts(inShape, outShape, { support, reach }) {
  const [height, width] = inShape;
  const across = Math.ceil(width / 640);
  const side = Math.ceil(width / across);
  const down = Math.ceil((height * side) / ENCODED);
  const margin = Math.ceil(support / 2) + 2;
  const made = [];
  for (const y of split(height, down)) {
    for (const x of split(width, across)) {
      const core = { top: y[0], bottom: y[1], left: x[0], right: x[1] };
      const features = grown(core, margin, height, width);
      made.push({
        core,
        features,
        image: grown(features, reach, height, width),
        out: scaled(core, inShape, outShape),
      });
    }
  }
  return made;
}

// Windows of the output of a part for the head: tall, since columns share their filters.
export function strips(part, axes, channels) {
  const { top, bottom, left, right } = part.out;
  const rows = Math.max(part.core.bottom - part.core.top, (bottom - top) / 8) + 8;
  const most = Math.max(LEAST_COLUMNS, Math.floor(HELD / (rows * 4 * channels)));
  const count = Math.ceil((right - left) / most);
  return split(right - left, count).map(([from, to]) => ({
    top,
    bottom,
    left: left + from,
    right: left + to,
  }));
}

export function grown(window, by, height, width) {
  return {
    top: Math.max(0, window.top - by),
    bottom: Math.min(height, window.bottom + by),
    left: Math.max(0, window.left - by),
    right: Math.min(width, window.right + by),
  };
}

function split(size, count) {
  const end = (i) => Math.floor((i * size) / count);
  return Array.from({ length: count }, (_, i) => [end(i), end(i + 1)]);
}

function scaled(core, [height, width], [outHeight, outWidth]) {
  const at = (edge, size, out) => Math.round((edge * out) / size);
  return {
    top: at(core.top, height, outHeight),
    bottom: at(core.bottom, height, outHeight),
    left: at(core.left, width, outWidth),
    right: at(core.right, width, outWidth),
  };
}
