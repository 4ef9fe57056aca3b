// What is shown stands in the page's address, so that a link leads to the very same moment.

/** What an address asks for, by the part after `#`: {agent, step, tab, town}; null for what it does not say. */
export function readAddress(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const whole = (name) => (/^\d{1,9}$/.test(said.get(name) ?? "") ? Number(said.get(name)) : null);
  return { agent: whole("agent"), step: whole("step"), tab: said.get("tab"), town: said.get("town") };
}

/** The part after `#` that leads to what an app shows, with the tab that is open. */
export function writeAddress(app, tab) {
  const said = new URLSearchParams({ agent: app.track.life.agent, step: app.frame });
  if (tab !== null) said.set("tab", tab);
  if (!app.layers.fog) said.set("town", "whole");
  return `#${said}`;
}

/** Let an app show what an address asks for, as far as this replay has it. */
export function goTo(app, asked) {
  const index = app.tracks.findIndex((track) => track.kind === "recorded" && track.life.agent === asked.agent);
  app.setLayer("fog", asked.town !== "whole");
  if (index >= 0) app.follow(index);
  if (asked.step !== null) app.seek(asked.step);
}

const PAUSE = 250; // ms that nothing changes before it is written: browsers count how often that is done

/** Keep the address and the app together. Who is followed makes a step of the history; a frame does not. */
export function bindAddress(app, tabs) {
  if (window.location.protocol === "about:") return; // in a notebook the page has no address of its own
  let waiting = null, restoring = false;
  const write = (how) => {
    clearTimeout(waiting);
    waiting = null;
    const now = writeAddress(app, tabs.chosen());
    if (now !== window.location.hash) window.history[how](null, "", now);
  };
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => write("replaceState"), PAUSE);
  };
  const restore = () => {
    if (app.track === null) return;
    const asked = readAddress(window.location.hash);
    restoring = true;
    app.pause();
    goTo(app, asked);
    if (asked.tab !== null) tabs.choose(asked.tab);
    restoring = false;
  };
  app.listen((what) => {
    if (what === "replay") restore();
    if (restoring || app.track === null) return;
    if (what === "track") write("pushState");
    else if (!app.playing) later();
  });
  tabs.listen(() => { if (!restoring && app.track !== null) later(); });
  window.addEventListener("popstate", restore);
}
