// What every page runs, before htmx starts: fresh words for times, live parts, focus, toasts. Without it every page still works.
import './times.js';
import './live.js';
import './focus.js';

if ('serviceWorker' in navigator && window.isSecureContext) {
  navigator.serviceWorker.register('/sw.js').catch(() => { /* a page works without it */ });
}

// on phones the tabs are one row that scrolls: where one is must be in it
document.querySelector('.tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center', behavior: 'instant' });

const TOAST_MS = 8000;
new MutationObserver(changes => {
  for (const { addedNodes } of changes) for (const node of addedNodes) fade(node);
}).observe(document.getElementById('toasts'), { childList: true });
for (const toast of document.querySelectorAll('#toasts > .toast')) fade(toast);

function fade(node) {
  if (node.nodeType === Node.ELEMENT_NODE) setTimeout(() => node.remove(), TOAST_MS);
}
