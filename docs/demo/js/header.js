// The kind and the size of a picture, from the beginning of its file: before anything
// is decoded, so that a small file cannot ask for a lot of memory.

const KINDS = [
  ["PNG", [0x89, 0x50, 0x4e, 0x47], png],
  ["JPEG", [0xff, 0xd8, 0xff], jpeg],
  ["GIF", [0x47, 0x49, 0x46, 0x38], gif],
  ["WebP", [0x52, 0x49, 0x46, 0x46], webp],
  ["BMP", [0x42, 0x4d], bmp],
];

// { kind, width, height }; sizes are undefined where the file does not say them in time,
// the kind where it is none that is known here (browsers know more of them).
export function header(buffer) {
  const view = new DataView(buffer);
  for (const [kind, magic, size] of KINDS) {
    if (magic.every((byte, i) => i < view.byteLength && view.getUint8(i) === byte)) {
      try {
        return { kind, ...size(view) };
      } catch {
        return { kind }; // it ends too soon: decoding it will say so
      }
    }
  }
  return {};
}

function png(view) {
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

function gif(view) {
  return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function bmp(view) {
  return { width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
}

function jpeg(view) {
  let at = 2;
  for (;;) {
    while (view.getUint8(at) === 0xff && view.getUint8(at + 1) === 0xff) at++;
    const marker = view.getUint8(at + 1);
    // A frame; the three between them are tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7) };
    }
    if (marker === 0xda) return {};
    at += 2 + view.getUint16(at + 2);
  }
}

function webp(view) {
  const chunk = String.fromCharCode(...[12, 13, 14, 15].map((i) => view.getUint8(i)));
  const three = (at) => view.getUint16(at, true) + 65536 * view.getUint8(at + 2);
  if (chunk === "VP8X") return { width: 1 + three(24), height: 1 + three(27) };
  if (chunk === "VP8 ") {
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  }
  if (chunk === "VP8L") {
    const bits = view.getUint32(21, true);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
  }
  return {};
}
