// A page that cannot come back, as after a night, asks the server anew: whose session has ended gets the sign-in.

const waiting = setInterval(() => {
  if (!window.socket) return;
  clearInterval(waiting);
  window.socket.on("connect_error", async () => {
    const answer = await fetch(window.location.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") window.location.reload(); // no answer at all: the server is down, wait for it
  });
}, 200);
