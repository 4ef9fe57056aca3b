// Where a replay comes from: out of the page itself, from beside it, or from a file that a person gives.

import { ReplayError } from "townlet/format/replay.js";

/** The replay that lies in the page in base64, as a promise of an ArrayBuffer; null where none does. */
export function embedded(document) {
  const text = document.getElementById("replay")?.textContent.trim();
  return text ? decode(text) : null;
}

/** Those that lie in the page to be compared with it, in the same way. */
export function embeddedBeside(document) {
  return [...document.querySelectorAll("script.beside")].map((script) => decode(script.textContent.trim()));
}

/** The replay that an address names by `?replay=`, of the same origin alone; null where it names none. */
export function named(location) {
  const name = new URLSearchParams(location.search).get("replay");
  return name === null ? null : fetched(name, location);
}

/** Bytes of base64, as a promise of an ArrayBuffer. Throws ReplayError for other text. */
export async function decode(text) {
  let letters;
  try {
    letters = atob(text);
  } catch {
    throw new ReplayError("The replay in this page is damaged: it is no base64.");
  }
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes.buffer;
}

async function fetched(name, location) {
  const address = URL.canParse(name, location.href) ? new URL(name, location.href) : null;
  if (address?.origin !== location.origin || address.origin === "null") {
    throw new ReplayError("This page reads replays from where it lies itself alone; open the file instead.");
  }
  try {
    const answer = await fetch(address);
    if (answer.ok) return await answer.arrayBuffer();
    throw new ReplayError(`There is no replay at ${address.pathname.slice(0, 80)} (${answer.status}).`);
  } catch (error) {
    if (error instanceof ReplayError) throw error;
    throw new ReplayError(`No replay came from ${address.pathname.slice(0, 80)}: the server does not answer.`);
  }
}
