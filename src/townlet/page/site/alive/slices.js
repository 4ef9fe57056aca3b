// When lives go on and are compared: in short slices, while nothing else is to do, so that no picture waits.

const SLICE = 8; // ms of work at once
const LATEST = 200; // ms after which a slice begins though there is something else to do

/** Let an app work whenever something may be left to do. */
export function bindSlices(app) {
  const later = window.requestIdleCallback === undefined ? (call) => setTimeout(call, SLICE)
    : (call) => window.requestIdleCallback(call, { timeout: LATEST });
  let asked = false;
  const turn = () => {
    const end = performance.now() + SLICE;
    asked = false;
    if (app.track !== null && app.work(() => performance.now() < end)) ask();
  };
  const ask = () => {
    if (!asked) later(turn);
    asked = true;
  };
  app.listen(ask);
}
