// The page: its two tabs, the worker that both use, and the copy that works offline.

import { startEnlarge } from "./enlarge.js";
import { Engine } from "./engine.js";
import { startKernel } from "./kernel.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

function select(tab) {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", chosen);
    one.tabIndex = chosen ? 0 : -1;
    document.getElementById(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  window.dispatchEvent(new Event("resize"));
}

for (const tab of tabs) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    select(next);
  });
}

// Files are kept for later visits without a network. Pages that come through the service
// worker are isolated, which shared memory, and so threads, need: once, the page is
// loaded again for that.
async function isolate() {
  if (!("serviceWorker" in navigator)) return;
  try {
    await active(await navigator.serviceWorker.register("service-worker.js"));
  } catch (error) {
    console.warn("The page will not work offline:", error);
    return;
  }
  if (!crossOriginIsolated && !sessionStorage.getItem("loaded again")) {
    sessionStorage.setItem("loaded again", "yes");
    location.reload();
    await new Promise(() => {});
  }
}

// Wait until a service worker is there, or could not be installed.
function active({ active, waiting, installing }) {
  const worker = installing ?? waiting;
  if (active || !worker) return;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("its files could not be kept"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}

// ?backend=wasm or webgpu, ?threads=2: for measurements.
function options() {
  const query = new URLSearchParams(location.search);
  const threads = Number(query.get("threads")) || undefined;
  return { backend: query.get("backend") ?? undefined, threads };
}

await isolate();
const engine = new Engine(options());
startEnlarge(engine);
startKernel(engine);
engine.ready.then(({ where, about }) => {
  const place = where.backend === "webgpu" ? "the GPU (WebGPU)" : `${where.threads} thread${where.threads === 1 ? "" : "s"} of the processor`;
  document.getElementById("about").textContent =
    `${Math.round(about.parameters / 1000)} thousand numbers, ${Math.round(about.bytes / 1000)} kB; ` +
    `computed by ONNX Runtime Web on ${place}.`;
}, () => {}); // both tabs tell
