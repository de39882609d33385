// Keeps the page for use without a network, and marks it as isolated, so that threads
// may share memory. The files and their version are filled in when the page is built. A
// new version waits until no page is open that began with the old one.

const FILES = [/* files */];
const NAME = "contconv-demo-/* version */";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })))));
});

self.addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("contconv-demo-") && name !== NAME) await caches.delete(name);
    }
    await self.clients.claim();
  };
  event.waitUntil(old());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const here = request.method === "GET" && request.url.startsWith(self.registration.scope);
  if (here) event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(NAME);
  const asked = new URL(request.url);
  if (asked.href.split(/[?#]/)[0] === self.registration.scope) asked.pathname += "index.html";
  asked.search = "";
  let response = await cache.match(asked.href);
  if (!response) {
    response = await fetch(request);
    if (response.ok) await cache.put(asked.href, response.clone());
  }
  return isolated(response);
}

function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}
