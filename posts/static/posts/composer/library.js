// Attaching from the library: a dialog with what the server finds there. Without scripts the link leads to the library.

import { filled } from "./words.js";

export function startLibrary(pictures) {
  const link = document.getElementById("from-library");
  const dialog = document.getElementById("library");
  if (!link || !dialog) return;
  const said = document.getElementById("library-said");
  link.setAttribute("role", "button");

  function open(event) {
    event.preventDefault();
    dialog.showModal();
    dialog.dispatchEvent(new CustomEvent("library:open"));
  }

  link.addEventListener("click", open);
  link.addEventListener("keydown", (event) => { if (event.key === " ") open(event); });
  dialog.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-media-id]");
    if (!chosen) return;
    event.preventDefault();
    const { mediaId, name, thumbnail, alt, kind } = chosen.dataset;
    pictures.add({ id: mediaId, name, thumbnail, alt, kind });
    said.textContent = filled(said.dataset.picked, { name });
    chosen.setAttribute("aria-pressed", "true");
  });
  dialog.addEventListener("close", () => link.focus());
}
