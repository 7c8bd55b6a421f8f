// The files of the post: added from uploads or the library, put in order by buttons or by dragging, removed and undone.
// The form itself carries them: a hidden id, a position, a box that says "remove".

import { element, filled } from "./words.js";

export function startPictures(form) {
  const list = document.getElementById("pictures");
  const mould = document.getElementById("picture-template");
  const said = document.getElementById("pictures-said");
  let dragged = null;

  const cards = () => [...list.children];
  const isGone = (card) => card.querySelector("[name=remove]").checked;
  const kept = () => cards().filter((card) => !isGone(card));
  const changed = () => list.dispatchEvent(new Event("change", { bubbles: true }));

  function number() {
    cards().forEach((card, place) => { card.querySelector("[name^=position_]").value = String(place + 1); });
    const shown = kept();
    shown.forEach((card, place) => {
      card.querySelector("[data-move='-1']").disabled = place === 0;
      card.querySelector("[data-move='1']").disabled = place === shown.length - 1;
    });
  }

  function tell(card) {
    const shown = kept();
    const values = { name: card.dataset.name, position: shown.indexOf(card) + 1, total: shown.length };
    said.textContent = filled(list.dataset.moved, values);
  }

  function move(card, by, button) {
    const shown = kept();
    const other = shown[shown.indexOf(card) + by];
    if (!other) return;
    if (by < 0) other.before(card);
    else other.after(card);
    number();
    tell(card);
    changed();
    (button.disabled ? card.querySelector(`[data-move='${-by}']`) : button).focus();
  }

  function remove(card, isRemoved) {
    card.querySelector("[name=remove]").checked = isRemoved;
    card.classList.toggle("sq-removed", isRemoved);
    card.querySelector(".sq-picture-gone").hidden = !isRemoved;
    const sentence = card.querySelector("[data-gone]");
    sentence.textContent = isRemoved ? filled(sentence.dataset.gone, { name: card.dataset.name }) : "";
    number();
    changed();
    card.querySelector(isRemoved ? "[data-undo]" : "[data-remove]").focus();
  }

  function add({ id, name, thumbnail, alt = "", kind }) {
    const known = cards().find((card) => card.dataset.id === String(id));
    if (known) {
      if (isGone(known)) remove(known, false);
      return known;
    }
    const card = mould.content.firstElementChild.cloneNode(true);
    Object.assign(card.dataset, { id, name, kind });
    card.querySelectorAll("[name], [id], [for]").forEach((part) => {
      if (part.name) part.name = part.name.replace(/_$/, `_${id}`);
      if (part.id) part.id = part.id.replace(/_$/, `_${id}`);
      if (part.htmlFor) part.htmlFor = part.htmlFor.replace(/_$/, `_${id}`);
    });
    card.querySelectorAll("[name=picture], [name=remove]").forEach((part) => { part.value = id; });
    card.querySelector(".sq-picture-name").textContent = name;
    card.querySelector(".sq-picture-seen").append(thumbnail
      ? element("img", { className: "sq-thumbnail", src: thumbnail, alt: alt || name })
      : element("span", { className: "sq-thumbnail sq-no-preview", textContent: name }));
    if (kind === "document") card.querySelector(".sq-picture-alt").remove();
    else card.querySelector("textarea").value = alt;
    list.append(card);
    prepare(card);
    number();
    changed();
    return card;
  }

  function prepare(card) {
    card.querySelectorAll(".sq-scripted").forEach((part) => { part.hidden = false; });
    card.querySelectorAll(".sq-unscripted").forEach((part) => { part.hidden = true; });
    card.querySelector(".sq-picture-seen").draggable = true;
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const card = button?.closest(".sq-picture");
    if (!card) return;
    if (button.dataset.move) move(card, Number(button.dataset.move), button);
    else if ("remove" in button.dataset) remove(card, true);
    else if ("undo" in button.dataset) remove(card, false);
  });
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest(".sq-picture-seen") ? event.target.closest(".sq-picture") : null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", dragged.dataset.name);
    dragged.classList.add("sq-dragged");
  });
  list.addEventListener("dragover", (event) => {
    const over = event.target.closest(".sq-picture");
    if (!dragged) return;
    event.preventDefault();
    if (!over || over === dragged) return;
    const box = over.getBoundingClientRect();
    if (event.clientY < box.top + box.height / 2) over.before(dragged);
    else over.after(dragged);
  });
  list.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });
  list.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("sq-dragged");
    number();
    tell(dragged);
    changed();
    dragged = null;
  });

  cards().forEach(prepare);
  number();
  return {
    add,
    count: () => kept().length,
    isDragging: () => dragged !== null,
    /** Return the files as plain values, and put such values back. */
    read: () => cards().map((card) => ({
      id: card.dataset.id,
      name: card.dataset.name,
      kind: card.dataset.kind,
      thumbnail: card.querySelector("img")?.getAttribute("src") ?? "",
      alt: card.querySelector("textarea")?.value ?? "",
      removed: isGone(card),
    })),
    write: (values) => {
      list.replaceChildren();
      values.forEach((value) => {
        const card = add(value);
        if (value.removed) remove(card, true);
      });
    },
  };
}
