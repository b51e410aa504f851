// What is done before the page is connected arrives in the order in which it was done.
// NiceGUI lets each such event wait on a timer of its own: a click right after the connection overtakes typed text.

let socket;
let ready = false;
const held = [];

Object.defineProperty(window, "socket", {
  get: () => socket,
  set(made) {
    const emit = made.emit.bind(made);
    made.emit = (name, ...rest) => (name === "event" && !ready ? held.push([name, ...rest]) : emit(name, ...rest));
    socket = made;
  },
});

Object.defineProperty(window, "did_handshake", {
  get: () => socket !== undefined, // to NiceGUI: send at once
  set(done) {
    ready = done;
    if (done) held.splice(0).forEach((event) => socket.emit(...event));
  },
});
