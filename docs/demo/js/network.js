// The network: three graphs in ONNX Runtime, on a GPU where there is one.

import { hasGpu, objection } from "./gpu.js";
import { Axis, columnTable, rowTable } from "./grid.js";

const GPU = { module: "ort.webgpu.min.mjs", wasm: "ort-wasm-simd-threaded.asyncify" };
const CPU = { module: "ort.wasm.min.mjs", wasm: "ort-wasm-simd-threaded" };

export class Network {
  // `options.backend` is "webgpu" or "wasm", if only that may be used.
  static async load(base, options = {}) {
    const about = await (await fetch(new URL("model/about.json", base))).json();
    const network = new Network();
    Object.assign(network, { about, base, threads: options.threads });
    network.bytes = {};
    for (const name of ["encoder", "head", "kernel"]) {
      const response = await fetch(new URL(`model/${name}.onnx`, base));
      if (!response.ok) throw new Error(`model/${name}.onnx is not there (${response.status})`);
      network.bytes[name] = new Uint8Array(await response.arrayBuffer());
    }
    const asked = options.backend === "webgpu";
    const there = options.backend !== "wasm" && (await hasGpu({ software: asked }));
    if (there && (await network.tryGpu(asked))) return network;
    if (asked) throw new Error("there is no WebGPU that can be used");
    await network.start(CPU);
    await network.open(["wasm"]);
    return network;
  }

  async start({ module, wasm }) {
    const folder = new URL("ort/", this.base);
    this.ort = await import(new URL(module, folder).href);
    const { env } = this.ort;
    env.wasm.wasmPaths = {
      mjs: new URL(`${wasm}.mjs`, folder).href,
      wasm: new URL(`${wasm}.wasm`, folder).href,
    };
    // Threads need memory that is shared, which pages get that are isolated.
    const cores = Math.min(navigator.hardwareConcurrency ?? 1, 8);
    env.wasm.numThreads = self.crossOriginIsolated ? (this.threads ?? cores) : 1;
    env.logLevel = "error";
    this.where = { backend: "wasm", threads: env.wasm.numThreads };
  }

  // Sessions in the place of those that are open; a GPU that was lost cannot close its own.
  async open(executionProviders) {
    for (const session of Object.values(this.sessions ?? {})) await session.release().catch(() => {});
    this.sessions = {};
    const options = { executionProviders, logSeverityLevel: 3 };
    for (const [name, bytes] of Object.entries(this.bytes)) {
      this.sessions[name] = await this.ort.InferenceSession.create(bytes, options);
    }
  }

  // A GPU is used only where it gives what the processor gives, and sooner.
  async tryGpu(asked) {
    try {
      await this.start(GPU);
      const cpu = await this.tried(["wasm"]);
      const gpu = await this.tried(["webgpu", "wasm"]);
      const reason = objection(gpu, cpu, { slow: asked });
      if (reason) console.warn(`WebGPU ${reason}: it is not used.`);
      else this.where = { backend: "webgpu" };
      return !reason;
    } catch (error) {
      console.warn("WebGPU is there, but cannot be used:", error);
      return false;
    }
  }

  // What sessions of these providers give for the trial, and how long a second one takes:
  // the first one compiles.
  async tried(executionProviders) {
    await this.open(executionProviders);
    await this.trial();
    const begin = performance.now();
    const values = await this.trial();
    return { values, seconds: (performance.now() - begin) / 1000 };
  }

  // What the network adds to a small picture of noise, enlarged by 2.7, but at its border.
  async trial() {
    const [side, out, margin] = [64, 173, 9];
    const image = Float32Array.from({ length: 3 * side ** 2 }, (_, i) => ((i * 37) % 101) / 101);
    const features = await this.encode(image, side, side);
    const axis = new Axis(side, out, this.about.support);
    const x = columnTable(axis, margin, out - margin);
    const y = rowTable(axis, margin, out - margin, this.about.block);
    const { channels } = this.about;
    const given = new Float32Array(y.size * x.size * channels);
    for (let row = 0; row < Math.min(y.size, side - y.low); row++) {
      const from = ((row + y.low) * side + x.low) * channels;
      given.set(features.subarray(from, from + x.size * channels), row * x.size * channels);
    }
    const shape = [y.size, x.size, channels];
    return this.land(given, shape, x, y, [axis.down / axis.up, axis.down / axis.up]);
  }

  tensor(data, ...shape) {
    const type = data instanceof Int32Array ? "int32" : "float32";
    return new this.ort.Tensor(type, data, shape);
  }

  // One call at a time: on a GPU, they would get into each other's way.
  run(name, feeds) {
    const call = async () => (await this.sessions[name].run(feeds)).output.getData();
    this.last = (this.last ?? Promise.resolve()).then(call, call);
    return this.last;
  }

  // Features [height, width, channels] of an image [3, height, width] in 0..1.
  encode(image, height, width) {
    return this.run("encoder", { image: this.tensor(image, 1, 3, height, width) });
  }

  // What cubic resizing lacks, [3, rows, columns].
  land(features, shape, x, y, pixel) {
    return this.run("head", {
      features: this.tensor(features, ...shape),
      x_source: this.tensor(x.source, ...x.shape),
      x_distance: this.tensor(x.distance, ...x.shape),
      x_weight: this.tensor(x.weight, ...x.shape),
      y_source: this.tensor(y.source, y.shape[0], y.shape[2]),
      y_distance: this.tensor(y.distance, ...y.shape),
      y_weight: this.tensor(y.weight, ...y.shape),
      y_rows: this.tensor(y.rows, y.rows.length),
      pixel: this.tensor(Float32Array.from(pixel), 2),
    });
  }

  // The filters that the page shows, [pairs, y, x], at distances in pixels.
  filters(y, x, pixel) {
    return this.run("kernel", {
      y: this.tensor(Float32Array.from(y), y.length),
      x: this.tensor(Float32Array.from(x), x.length),
      pixel: this.tensor(Float32Array.from(pixel), 2),
    });
  }
}
