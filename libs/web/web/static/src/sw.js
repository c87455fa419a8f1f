// The service worker: makes Alarum installable. It caches nothing, for at night an old page is worse than none;
// a navigation without network gets a sentence instead of the browser's dinosaur.
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));

const offline = () => new Response(
  '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
  '<title>Offline · Alarum</title><h1>You are offline</h1><p>Alarum cannot be reached. <a href="">Try again</a></p>',
  { status: 503, headers: { 'Content-Type': 'text/html; charset=utf-8' } },
);

self.addEventListener('fetch', event => {
  if (event.request.mode === 'navigate') event.respondWith(fetch(event.request).catch(offline));
});
