// The worker: computes, so that the page stays alive. Jobs come one after the other; a
// newer one, or "cancel", ends the one that runs, between two parts.

import { Enlargement } from "./enlargement.js";
import { Network } from "./network.js";

const base = new URL("../", import.meta.url);
let network;
let enlargement;
let current = 0;

const turn = new MessageChannel();
let resume;
turn.port1.onmessage = () => resume();

// Let messages in that came meanwhile.
function breath() {
  return new Promise((resolve) => {
    resume = resolve;
    turn.port2.postMessage(0);
  });
}

const handlers = {
  async load({ options }) {
    network = await Network.load(base, options);
    return { where: network.where, about: network.about };
  },

  picture({ picture }) {
    current++;
    enlargement = new Enlargement(network, picture);
    return {};
  },

  cancel() {
    current++;
    return {};
  },

  async enlarge({ size, id }) {
    const job = ++current;
    const begin = performance.now();
    const before = enlargement.encoded;
    for await (const part of enlargement.made(size)) {
      if (job !== current) return { cancelled: true };
      const { pixels } = part;
      self.postMessage({ part, id }, pixels ? [pixels.buffer] : []);
      await breath();
      if (job !== current) return { cancelled: true };
    }
    const encoded = enlargement.encoded - before;
    return { seconds: (performance.now() - begin) / 1000, encoded };
  },

  async filters({ y, x, pixel }) {
    return { filters: await network.filters(y, x, pixel) };
  },
};

self.onmessage = async ({ data }) => {
  try {
    const answer = await handlers[data.kind](data);
    self.postMessage({ answer, id: data.id });
  } catch (error) {
    self.postMessage({ error: String(error?.message ?? error), id: data.id });
  }
};
