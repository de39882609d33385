// Sizes: what is asked for, as pixels and as factors, with or without proportions.

export const MOST_OUT = 40e6;
const MOST_FACTOR = 8;

export class Sizes {
  constructor(picture, keep = true) {
    Object.assign(this, { picture, keep });
    const room = Math.sqrt(4e6 / (picture.width * picture.height));
    const factor = Math.max(1, Math.min(2.7, room));
    this.width = this.height = 0;
    this.set({ width: picture.width * factor, height: picture.height * factor });
  }

  get factors() {
    return { x: this.width / this.picture.width, y: this.height / this.picture.height };
  }

  // Set one of them, or both; the other follows where proportions are kept.
  set({ width, height }) {
    const { picture } = this;
    if (this.keep && (width === undefined || height === undefined)) {
      const factor = width === undefined ? height / picture.height : width / picture.width;
      width ??= factor * picture.width;
      height ??= factor * picture.height;
    }
    width = clip(width ?? this.width, picture.width);
    height = clip(height ?? this.height, picture.height);
    const shrink = Math.min(1, Math.sqrt(MOST_OUT / (width * height)));
    this.width = Math.max(picture.width, Math.floor(width * shrink));
    this.height = Math.max(picture.height, Math.floor(height * shrink));
  }

  equals(other) {
    return other && this.width === other.width && this.height === other.height;
  }
}

function clip(size, original) {
  if (!Number.isFinite(size)) return original;
  return Math.round(Math.min(Math.max(size, original), MOST_FACTOR * original));
}
