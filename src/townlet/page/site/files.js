// Files that a person gives: dropped onto the page, or chosen.

import { element } from "townlet/drawing.js";

/** What is shown before a replay is there. */
export function makeEmpty(open) {
  const choose = element("button", { type: "button", class: "main", text: "Open a replay …" });
  choose.addEventListener("click", () => chooseFile(open));
  return element("section", { class: "empty" },
    element("h2", { text: "Watch small lives in a town" }),
    element("p", { text: "Drop a replay of Townlet here, or open one. It stays on this machine." }),
    choose,
    element("p", { class: "hint" }, "One is made by ", element("code", { text: "townlet replay RUN" }), "."));
}

/** Let a person choose a file, and open it. */
export function chooseFile(open) {
  const input = element("input", { type: "file", accept: ".replay", multiple: true });
  input.addEventListener("change", () => openAll(input.files, open));
  input.click();
}

/** Open the first of files, and compare it with the others. */
function openAll(files, open) {
  const [first, ...others] = [...files].map((file) => file.arrayBuffer());
  if (first !== undefined) open(first, others);
}

/** Open files that are dropped anywhere on the page. */
export function bindFiles(open) {
  const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const mark = (over) => document.documentElement.classList.toggle("dropping", over);
  document.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", (event) => { if (event.relatedTarget === null) mark(false); });
  document.addEventListener("drop", (event) => {
    mark(false);
    if (!carries(event)) return;
    event.preventDefault();
    openAll(event.dataTransfer.files, open);
  });
}
