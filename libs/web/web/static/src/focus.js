// After an action the pressed button is often gone and the focus falls to <body>: the page's heading takes it,
// so that keyboards and screen readers go on where they were.
let hadFocus = false;

document.addEventListener('htmx:before:request', () => {
  hadFocus = document.activeElement !== document.body;
});

document.addEventListener('htmx:after:swap', () => {
  if (!hadFocus || document.activeElement !== document.body) return;
  document.querySelector('.summary, h1[tabindex]')?.focus({ preventScroll: true });
});
