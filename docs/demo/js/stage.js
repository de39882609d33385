// The stage: both pictures over each other, the divider between them, the corner to drag.

const $ = (id) => document.getElementById(id);

export class Stage {
  // `onDrag(width, height)` is called while the corner is dragged, in output pixels;
  // `onDrop()` when it is let go. `sizes()` gives the sizes that count now.
  constructor({ sizes, onDrag, onDrop }) {
    Object.assign(this, { sizes, onDrag, onDrop, zoom: 1, real: false });
    this.frame = $("frame");
    this.canvases = { cubic: $("cubic"), network: $("network") };
    this.compare();
    this.corner();
    addEventListener("resize", () => this.fit());
  }

  // Show the frame at the sizes that count; the pictures in it are stretched.
  show() {
    const { width, height } = this.sizes();
    this.frame.style.width = `${(width * this.zoom) / devicePixelRatio}px`;
    this.frame.style.height = `${(height * this.zoom) / devicePixelRatio}px`;
  }

  // Choose how large an output pixel is, then show.
  fit() {
    const sizes = this.sizes();
    if (!sizes || this.dragging) return;
    const stage = $("stage");
    if (!stage.clientWidth) return; // the other tab is open
    stage.classList.toggle("real", this.real);
    const room = { x: stage.clientWidth - 24, y: Math.max(200, 0.7 * innerHeight - 28) };
    const { width, height } = sizes;
    const fits = Math.min(room.x / width, room.y / height) * devicePixelRatio;
    this.zoom = this.real ? 1 : Math.min(1, fits);
    this.show();
  }

  // Empty canvases of the size that counts, with the picture stretched to it.
  clear(bitmap) {
    const { width, height } = this.sizes();
    for (const canvas of Object.values(this.canvases)) {
      canvas.width = width;
      canvas.height = height;
      canvas.getContext("2d").drawImage(bitmap, 0, 0, width, height);
    }
  }

  draw(kind, { left, right, top, bottom }, pixels) {
    const image = new ImageData(pixels, right - left, bottom - top);
    // What the network has not made yet is the cubic one in both.
    const to = kind === "cubic" ? ["cubic", "network"] : ["network"];
    for (const name of to) this.canvases[name].getContext("2d").putImageData(image, left, top);
  }

  compare() {
    const split = $("split");
    const show = () => this.frame.style.setProperty("--split", `${split.value}%`);
    split.addEventListener("input", show);
    this.frame.addEventListener("pointerdown", (event) => {
      if (event.target === $("corner") || event.button) return;
      const follow = (one) => {
        const box = this.frame.getBoundingClientRect();
        split.value = (100 * (one.clientX - box.left)) / box.width;
        show();
      };
      follow(event);
      // A finger that moves up or down scrolls the page; the browser then cancels this.
      this.frame.setPointerCapture(event.pointerId);
      this.frame.onpointermove = follow;
      this.frame.onpointerup = this.frame.onpointercancel = () => {
        this.frame.onpointermove = null;
      };
    });
    show();
  }

  corner() {
    const corner = $("corner");
    corner.addEventListener("pointerdown", (event) => {
      if (!this.sizes() || event.button) return;
      event.preventDefault();
      corner.focus({ preventScroll: true });
      corner.setPointerCapture(event.pointerId);
      const { width, height } = this.sizes();
      this.dragging = true;
      const by = devicePixelRatio / this.zoom;
      corner.onpointermove = (one) => {
        this.onDrag(width + (one.clientX - event.clientX) * by, height + (one.clientY - event.clientY) * by);
      };
      corner.onpointerup = corner.onpointercancel = () => {
        corner.onpointermove = corner.onpointerup = corner.onpointercancel = null;
        this.dragging = false;
        this.fit();
        this.onDrop();
      };
    });
    corner.addEventListener("keydown", (event) => {
      const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
      if (!step || !this.sizes()) return;
      event.preventDefault();
      const by = event.shiftKey ? 1 : 10;
      const { width, height } = this.sizes();
      this.onDrag(width + by * step[0], height + by * step[1], step[0] ? "width" : "height");
      this.fit();
    });
    // After the last key, not after each.
    corner.addEventListener("keyup", (event) => event.key.startsWith("Arrow") && this.onDrop());
  }
}
