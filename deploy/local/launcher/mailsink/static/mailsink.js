// Loads the list again when a newer mail came; while one is being read, the reader is left alone.
const seen = document.body.dataset.newest;

async function look() {
  if (document.hidden || location.pathname !== "/") return;
  try {
    const [newest] = await (await fetch("/api/messages?limit=1")).json();
    if (newest && String(newest.id) !== seen) location.reload();
  } catch {
    // the server is away: the next look tells
  }
}

setInterval(look, 2000);
