// Nothing typed is lost: leaving with unsaved changes warns, and what was typed is kept in this browser until it is
// saved. Where it was sent and the session was over, it is in the form again after signing in; else it is offered.

import { drop, keyOf, read, takenKeyOf, write } from "./kept.js";
import { currentToken } from "./previews.js";
import { filled } from "./words.js";

const WAIT_MS = 300;
const NOT_KEPT = /^(csrfmiddlewaretoken|token|version|picture|remove|alt_.*|position_.*|typed_.*|_.*)$/;

export function startLeaving(form, pictures) {
  const key = keyOf(form.dataset.person);
  const notice = document.getElementById("kept");
  const value = (name) => form.elements.namedItem(name).value;
  const before = JSON.stringify(collect(form, pictures));
  let isEdited = Boolean(form.dataset.typed);
  let timer = 0;

  function keep(isSent = false) {
    window.clearTimeout(timer);
    timer = 0;
    const typed = collect(form, pictures);
    if (!isSent && JSON.stringify(typed) === before && !form.dataset.typed) {
      isEdited = false;
      drop(key);
    } else write(key, { at: Date.now(), token: value("token"), version: value("version"), isSent, typed });
  }

  function restore(kept) {
    form.elements.namedItem("version").value = kept.version;
    if (kept.isSent) form.elements.namedItem("token").value = kept.token; // sent twice it still makes one post
    put(form, pictures, kept.typed);
    isEdited = true;
  }

  function offer(kept) {
    const at = new Date(kept.at).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    const again = document.getElementById("kept-restore");
    document.getElementById("kept-said").textContent = filled(kept.isSent ? notice.dataset.back : notice.dataset.offer, { at });
    again.hidden = kept.isSent;
    notice.hidden = false;
    if (kept.isSent) restore(kept);
    again.addEventListener("click", () => { restore(kept); notice.hidden = true; });
    document.getElementById("kept-discard").addEventListener("click", () => {
      drop(key);
      isEdited = false;
      notice.hidden = true;
      if (kept.isSent) window.location.reload();
    });
  }

  function begin() {
    if (form.dataset.gaveWay) drop(key);
    if (form.dataset.typed) keep(); // the server has answered: sent no more, but not saved either
    const kept = form.dataset.typed ? null : read(key);
    if (kept && JSON.stringify(kept.typed) !== before) offer(kept);
  }

  function edited() {
    isEdited = true;
    window.clearTimeout(timer);
    timer = window.setTimeout(keep, WAIT_MS);
  }

  begin();
  form.addEventListener("input", edited);
  form.addEventListener("change", edited);
  form.addEventListener("submit", () => {
    const taken = isBack() ? read(takenKeyOf(key)) : null;
    const isSame = taken && JSON.stringify(taken.typed) === JSON.stringify(collect(form, pictures));
    if (isSame) form.elements.namedItem("token").value = taken.token;
    form.elements.namedItem("csrfmiddlewaretoken").value = currentToken(form);
    keep(true);
    isEdited = false;
  });
  window.addEventListener("pagehide", () => { if (timer) keep(); });
  window.addEventListener("beforeunload", (event) => { if (isEdited) event.preventDefault(); });
}

// Going back may show the old fields in a new form; sent again, it is the form that was taken.
const isBack = () => performance.getEntriesByType("navigation")[0]?.type === "back_forward";

function fieldsOf(form) {
  const isKept = (field) => field.name && !NOT_KEPT.test(field.name) && !["file", "submit", "button"].includes(field.type);
  return [...form.elements].filter(isKept);
}

const isBox = (field) => field.type === "checkbox" || field.type === "radio";

function collect(form, pictures) {
  const fields = fieldsOf(form).map((field) => (isBox(field) ? [field.name, field.value, field.checked] : [field.name, field.value]));
  return { fields, files: pictures.read() };
}

function put(form, pictures, typed) {
  const boxes = new Map(typed.fields.filter((found) => found.length === 3).map(([name, value, is]) => [`${name}=${value}`, is]));
  const values = new Map(typed.fields.filter((found) => found.length === 2));
  fieldsOf(form).forEach((field) => {
    if (isBox(field)) field.checked = boxes.get(`${field.name}=${field.value}`) ?? field.checked;
    else if (values.has(field.name)) field.value = values.get(field.name);
    if (field.value && field.closest("details") && field.tagName === "TEXTAREA") field.closest("details").open = true;
  });
  pictures.write(typed.files);
  form.dispatchEvent(new Event("input", { bubbles: true }));
}
