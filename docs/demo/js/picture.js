// A picture from a file, or a sentence that says why not.

import { header } from "./header.js";

export const MOST_PIXELS = 24e6;
const MOST_BYTES = 100 * 2 ** 20;

export class PictureError extends Error {}

export function megapixels(pixels) {
  const mega = pixels / 1e6;
  return `${mega < 10 ? mega.toFixed(1) : Math.round(mega).toLocaleString("en")} megapixels`;
}

// { name, width, height, data, flattened } of a file; data are RGBA in bytes, upright.
// Throws PictureError.
export async function pictureFrom(file) {
  const name = file.name || "the picture";
  if (file.size === 0) throw new PictureError(`“${name}” is empty.`);
  if (file.size > MOST_BYTES) {
    throw new PictureError(
      `“${name}” has ${Math.round(file.size / 2 ** 20)} MB; this page takes files of up to ` +
        `${MOST_BYTES / 2 ** 20} MB. The command “contconv upscale” takes larger ones.`,
    );
  }
  const head = header(await file.slice(0, 2 ** 20).arrayBuffer());
  checkSize(name, head.width * head.height);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new PictureError(
      head.kind
        ? `“${name}” is a ${head.kind} file that cannot be read: it is damaged or incomplete.`
        : `“${name}” is no picture that this browser can read; try a JPEG, PNG or WebP file.`,
    );
  }
  try {
    checkSize(name, bitmap.width * bitmap.height);
    return { name, ...pixelsOf(bitmap) };
  } finally {
    bitmap.close();
  }
}

function checkSize(name, pixels) {
  if (!(pixels > MOST_PIXELS)) return;
  throw new PictureError(
    `“${name}” has ${megapixels(pixels)}; this page takes pictures of up to ` +
      `${MOST_PIXELS / 1e6}. The command “contconv upscale” takes larger ones.`,
  );
}

// Opaque pixels: what is transparent is laid on white.
function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  let { data } = context.getImageData(0, 0, width, height);
  const flattened = isTransparent(data);
  if (flattened) {
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    ({ data } = context.getImageData(0, 0, width, height));
  }
  return { width, height, data, flattened };
}

function isTransparent(data) {
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return true;
  return false;
}
