// Tells the server whether the page is in sight: one that nobody sees is sent nothing, and catches up when it is seen.

const tell = () => window.socket?.connected && emitEvent("sight", !document.hidden);

document.addEventListener("visibilitychange", tell);
const waiting = setInterval(() => {
  if (!window.socket?.connected) return;
  clearInterval(waiting);
  if (document.hidden) tell(); // opened in the background
}, 200);
