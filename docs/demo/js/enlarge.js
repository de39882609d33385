// The tab that enlarges: files in, sizes, progress, the picture out.

import { megapixels, pictureFrom, PictureError } from "./picture.js";
import { Sizes } from "./sizes.js";
import { Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);

// What is started by itself takes seconds on any processor.
const AT_ONCE = { input: 0.5e6, output: 4e6 };

export function startEnlarge(engine) {
  new Enlarge(engine);
}

class Enlarge {
  constructor(engine) {
    this.engine = engine;
    this.stage = new Stage({
      sizes: () => this.sizes,
      onDrag: (width, height, only) => this.drag(width, height, only),
      onDrop: () => this.changed(),
    });
    this.files();
    this.inputs();
    $("start").onclick = () => this.run();
    $("cancel").onclick = () => engine.ask("cancel");
    $("download").onclick = (event) => this.download(event);
    this.begin();
  }

  async begin() {
    try {
      await this.engine.ready;
    } catch (error) {
      return this.problem(`The network could not be loaded: ${error.message}.`);
    }
    if (this.picture) return;
    try {
      const response = await fetch("sample.png");
      const blob = await response.blob();
      if (!this.picture) await this.open(new File([blob], "sample.png", { type: blob.type }));
    } catch {
      this.status("Choose a photograph to begin.");
    }
  }

  files() {
    const stage = $("stage");
    $("file").onchange = ({ target }) => {
      if (target.files[0]) this.open(target.files[0]);
      target.value = ""; // the same file may be chosen again
    };
    addEventListener("paste", (event) => this.take(event.clipboardData, event));
    addEventListener("dragover", (event) => {
      event.preventDefault();
      stage.classList.add("drop");
    });
    addEventListener("dragleave", (event) => event.relatedTarget || stage.classList.remove("drop"));
    addEventListener("drop", (event) => {
      stage.classList.remove("drop");
      this.take(event.dataTransfer, event);
    });
  }

  take({ files }, event) {
    if (!files.length) return;
    event.preventDefault();
    this.open(files[0]);
  }

  async open(file) {
    this.problem("");
    const turn = (this.turn = (this.turn ?? 0) + 1);
    let picture;
    try {
      await this.engine.ready;
      picture = await pictureFrom(file);
    } catch (error) {
      if (turn !== this.turn) return;
      const known = error instanceof PictureError;
      return this.problem(known ? error.message : `“${file.name}” could not be opened: ${error.message}.`);
    }
    if (turn !== this.turn) return;
    this.picture = picture;
    this.made = undefined;
    const { width, height, data } = picture;
    await this.engine.ask("picture", { picture: { width, height, data } });
    this.bitmap = await createImageBitmap(new ImageData(data, width, height));
    this.sizes = new Sizes(picture, $("keep").checked);
    this.stage.clear(this.bitmap);
    this.changed();
  }

  inputs() {
    for (const name of ["width", "height"]) {
      $(name).onchange = ({ target }) => this.set({ [name]: Number(target.value) }, true);
    }
    for (const [axis, name] of [["x", "width"], ["y", "height"]]) {
      const size = (slider) => 2 ** Number(slider.value) * this.picture[name];
      $(`factor-${axis}`).oninput = ({ target }) => this.picture && this.set({ [name]: size(target) });
      $(`factor-${axis}`).onchange = () => this.changed();
    }
    $("keep").onchange = ({ target }) => {
      if (!this.sizes) return;
      this.sizes.keep = target.checked;
      if (target.checked) this.set({ width: this.sizes.width }, true);
    };
    $("real").onchange = ({ target }) => {
      this.stage.real = target.checked;
      this.stage.fit();
    };
  }

  // With proportions kept, the corner follows the direction that moved more.
  drag(width, height, only) {
    const { picture, sizes } = this;
    if (!sizes.keep) return this.set({ width, height });
    const across = only ? only === "width" : width * picture.height > height * picture.width;
    this.set(across ? { width } : { height });
  }

  set(wanted, final = false) {
    if (!this.sizes) return;
    this.sizes.set(wanted);
    this.label();
    this.stage.show();
    if (final) this.changed();
  }

  // The sizes are decided: enlarge, if that takes only seconds.
  changed() {
    if (!this.sizes) return;
    this.label();
    this.stage.fit();
    if (this.sizes.equals(this.made) || this.sizes.equals(this.running)) return;
    const { picture, sizes } = this;
    const small = picture.width * picture.height <= AT_ONCE.input;
    if (small && sizes.width * sizes.height <= AT_ONCE.output) return this.run();
    this.engine.ask("cancel");
    this.finished(false);
    this.status(`${sizes.width} × ${sizes.height} pixels, ${megapixels(sizes.width * sizes.height)}: press Enlarge.`);
  }

  label() {
    const { sizes, picture } = this;
    const { x, y } = sizes.factors;
    for (const [axis, factor] of Object.entries({ x, y })) {
      $(`times-${axis}`).textContent = `× ${factor.toFixed(2)}`;
      $(`factor-${axis}`).value = Math.log2(factor);
      $(`factor-${axis}`).setAttribute("aria-valuetext", `${factor.toFixed(2)} times`);
    }
    $("width").value = sizes.width;
    $("height").value = sizes.height;
    $("width").min = picture.width;
    $("height").min = picture.height;
    $("corner").setAttribute("aria-valuenow", x.toFixed(2));
    $("corner").setAttribute("aria-valuetext", `${sizes.width} by ${sizes.height} pixels`);
  }

  async run() {
    if (!this.sizes) return;
    const { width, height } = this.sizes;
    const { picture } = this;
    const size = (this.running = { width, height });
    this.made = undefined;
    this.stage.clear(this.bitmap);
    $("cancel").hidden = $("progress").hidden = false;
    $("progress").value = 0;
    this.enable(false);
    this.status(`Enlarging ${picture.width} × ${picture.height} to ${width} × ${height} pixels…`);
    const show = ({ kind, window, pixels, progress }) => {
      if (this.running !== size) return;
      $("progress").value = progress;
      if (pixels) this.stage.draw(kind, window, pixels);
    };
    try {
      const { cancelled, seconds, encoded } = await this.engine.ask("enlarge", { size }, show);
      if (this.running !== size) return;
      this.finished(!cancelled);
      if (cancelled) return this.status("Cancelled. What is not done yet is cubic.");
      this.made = size;
      const kept = encoded ? "" : ", without encoding the picture again";
      const flat = picture.flattened ? " Transparent parts are laid on white." : "";
      this.status(`${width} × ${height} pixels in ${seconds.toFixed(1)} s${kept}.${flat}`);
    } catch (error) {
      if (this.running !== size) return;
      this.finished(false);
      this.problem(`The picture could not be enlarged: ${error.message}. A smaller size takes less memory.`);
    }
  }

  finished(whole) {
    this.running = undefined;
    $("cancel").hidden = $("progress").hidden = true;
    this.enable(whole);
  }

  enable(there) {
    $("download").setAttribute("aria-disabled", !there);
    if (there) $("download").href = "#download";
    else $("download").removeAttribute("href");
  }

  download(event) {
    event.preventDefault();
    if (!this.made) return;
    const { width, height } = this.made;
    const name = this.picture.name.replace(/\.[^.]*$/, "");
    this.stage.canvases.network.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${name}-${width}x${height}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    }, "image/png");
  }

  status(text) {
    $("status").textContent = text;
  }

  problem(text) {
    $("problem").hidden = !text;
    $("problem").textContent = text;
  }
}
