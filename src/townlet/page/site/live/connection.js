// The connection to the server of a run: it asks again by itself, at growing intervals, for as long as the page is open.

const KINDS = ["run", "points", "replays"];
const SOON = 1_000, LATE = 30_000; // ms after which a lost server is asked again: twice as long each time

/** Hear the events at an address: `heard(kind, message)` for each, `changed(connected)` when the server goes or comes. */
export function connect(address, heard, changed) {
  let wait = SOON;
  function begin() {
    const source = new EventSource(address);
    source.addEventListener("open", () => {
      wait = SOON;
      changed(true);
    });
    source.addEventListener("error", () => {
      changed(false);
      source.close(); // a browser that asks again by itself gives up for good where it is refused
      setTimeout(begin, wait);
      wait = Math.min(2 * wait, LATE);
    });
    for (const kind of KINDS) source.addEventListener(kind, (event) => heard(kind, JSON.parse(event.data)));
  }
  begin();
}
