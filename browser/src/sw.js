// The service worker: after the first visit everything comes from this device, with the network off too.
// The build fills in the names of all files and their common checksum; what runs on graphics cards, which many
// visitors do not need, is kept once it was asked for.

const CACHE = "photo2anime-" + "VERSION";
const FILES = ["FILES"];
// Threads want these headers. Where a host does not send them, the second visit has them from here.
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

self.addEventListener("install", (event) => {
  const files = ["./", ...FILES.filter((file) => file !== "index.html")];
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(files)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => names.filter((name) => name.startsWith("photo2anime-") && name !== CACHE))
      .then((old) => Promise.all(old.map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET" && event.request.url.startsWith(self.registration.scope)) {
    event.respondWith(answered(event.request));
  }
});

async function answered(request) {
  const cache = await caches.open(CACHE);
  const known = await cache.match(request.mode === "navigate" ? "./" : request, { ignoreSearch: true });
  const response = known ?? (await fetch(request));
  if (!known && response.ok && request.url.includes("/ort/")) await cache.put(request, response.clone());
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
