// Engine: the worker, as the page sees it.

export class Engine {
  constructor(options) {
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => this.fail(event.message || "the worker could not be started");
    this.ready = this.ask("load", { options });
  }

  // Ask the worker; `onPart` is called with every part of an answer that comes in parts.
  ask(kind, rest = {}, onPart) {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onPart });
      this.worker.postMessage({ kind, id, ...rest });
    });
  }

  receive({ id, part, answer, error }) {
    const { resolve, reject, onPart } = this.waiting.get(id);
    if (part) return onPart(part);
    this.waiting.delete(id);
    if (error) reject(new Error(error));
    else resolve(answer);
  }

  fail(message) {
    for (const { reject } of this.waiting.values()) reject(new Error(message));
    this.waiting.clear();
  }
}
