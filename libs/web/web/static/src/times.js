// «5 minutes ago», kept true: every half minute and after each swap. A text is written only when it changes,
// or screen readers and morphs would see work where there is none.
const UNITS = [['year', 31536000], ['month', 2592000], ['week', 604800], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
const language = document.documentElement.lang || 'en';
const words = style => new Intl.RelativeTimeFormat(language, { numeric: 'always', style });
const styles = { long: words('long'), narrow: words('narrow') };

function relative(instant, style) {
  const seconds = (instant - Date.now()) / 1000;
  if (Math.abs(seconds) < 10) return null; // the server's «just now» stays
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return styles[style].format(Math.round(seconds / size), unit);
}

function refresh() {
  for (const element of document.querySelectorAll('[data-rel]')) {
    const text = relative(Date.parse(element.dataset.rel), element.dataset.words ?? 'long');
    if (text && element.textContent !== text) element.textContent = text;
  }
}

setInterval(refresh, 30_000);
document.addEventListener('htmx:after:swap', refresh);
refresh();
