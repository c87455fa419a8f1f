// Live parts: the stream on #live tells what changed; an element with data-live="<event>" fetches itself again,
// at once for the first change and at most once in GAP_MS for a storm of them.
const GAP_MS = 700;
const RESYNC_SPREAD_MS = 2000; // after a restart everybody is told at once: not everybody may ask at once
const stream = document.getElementById('live');
const lost = document.getElementById('live-lost');
const waiting = new WeakMap(); // element -> { last, timer }

if (stream) {
  document.addEventListener('htmx:sse:before:message', event => hear(event.detail.message));
  document.addEventListener('htmx:sse:after:connection', connected);
  document.addEventListener('htmx:sse:error', event => lose(event.detail.status));
  document.addEventListener('htmx:response:error', event => fromStream(event) && lose(event.detail.ctx?.response?.status));
  document.addEventListener('htmx:error', event => fromStream(event) && show(true));
}

let isFirst = true;

function connected() {
  show(false);
  // what changed between the page's making and now was told to nobody, unless the stream began at the page's position
  if (isFirst && stream.dataset.after === undefined) parts().forEach(refresh);
  isFirst = false;
}

function hear({ event, data }) {
  if (event === 'resync') {
    for (const part of parts()) setTimeout(() => refresh(part), Math.random() * RESYNC_SPREAD_MS);
    return;
  }
  const id = idOf(data);
  for (const part of parts()) {
    const { live, liveOnly } = part.dataset;
    if (live === event && (liveOnly === undefined || liveOnly === id)) refresh(part);
  }
}

function refresh(part) {
  const state = waiting.get(part) ?? { last: -Infinity, timer: null };
  waiting.set(part, state);
  if (state.timer !== null) return;
  const wait = Math.max(0, state.last + GAP_MS - performance.now());
  state.timer = setTimeout(() => {
    state.timer = null;
    state.last = performance.now();
    if (part.isConnected) window.htmx.trigger(part, 'alarum:refresh');
  }, wait);
}

const parts = () => document.querySelectorAll('[data-live]');
const fromStream = event => event.target === stream || event.detail?.ctx?.sourceElement === stream;

function idOf(data) {
  try {
    return String(JSON.parse(data).id);
  } catch {
    return undefined;
  }
}

function lose(status) {
  if (status === 401) window.location.reload(); // the session ended: the server leads to the sign-in page and back
  show(true);
}

function show(isLost) {
  if (lost) lost.hidden = !isLost;
}
