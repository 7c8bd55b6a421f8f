// The calendar's cards by mouse and keyboard: dragging, the dialog of “Move to…”, arrow keys. What a person reads comes
// from the page. The server decides every move; what it answers replaces the calendar, so a refused card snaps back.

const page = document.querySelector("#calendar-page");
const form = document.querySelector("#calendar-drop");
const dialog = document.querySelector("#calendar-dialog");
const said = document.querySelector("#calendar-said");
let dragged = null;
let home = null;
let wanted = "";

const cellOf = (event) => event.target.closest?.("[data-drop]");

if (!new URLSearchParams(location.search).get("view")) history.replaceState(null, "", page.dataset.url);

document.addEventListener("dragstart", (event) => {
  const card = event.target.closest?.("[draggable=true]");
  if (!card) return;
  dragged = card;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", card.dataset.post);
  card.classList.add("cal-dragged");
});

document.addEventListener("dragend", () => {
  dragged?.classList.remove("cal-dragged");
  leave();
  dragged = null;
});

document.addEventListener("dragover", (event) => {
  const cell = dragged && cellOf(event);
  leave(cell);
  if (!cell) return;
  event.preventDefault();
  cell.classList.add("cal-over");
});

document.addEventListener("drop", (event) => {
  const cell = dragged && cellOf(event);
  if (!cell) return;
  event.preventDefault();
  leave();
  if (cell.contains(dragged)) return;
  home = { card: dragged, parent: dragged.parentNode, next: dragged.nextSibling };
  wanted = dragged.id;
  form.elements.post.value = dragged.dataset.post;
  form.elements.version.value = dragged.dataset.version;
  form.elements.day.value = cell.dataset.day;
  form.elements.hour.value = cell.dataset.hour ?? "";
  cell.querySelector("[data-cards]").append(dragged);
  dragged.classList.add("cal-pending");
  form.requestSubmit();
});

function leave(except = null) {
  document.querySelectorAll(".cal-over").forEach((cell) => cell !== except && cell.classList.remove("cal-over"));
}

// Puts a card back whose move got no answer, and says so; whatever else of the calendar gets none says so, too.
function snapBack(event) {
  if (!page.contains(event.target)) return;
  home?.parent.insertBefore(home.card, home.next);
  home?.card.classList.remove("cal-pending");
  home = null;
  const line = document.createElement("p");
  line.className = "cal-said-box cal-refused";
  line.textContent = said.dataset.failed;
  said.replaceChildren(line);
  said.classList.add("cal-fresh");
}

document.addEventListener("htmx:responseError", snapBack);
document.addEventListener("htmx:sendError", snapBack);

document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, serverResponse, target } = event.detail;
  if (!page.contains(target)) return; // another part of the page asks for itself
  const isOurs = /id="calendar(-move-form)?"/.test(serverResponse);
  if (xhr.status < 300 && !isOurs) {
    event.preventDefault(); // the session is over: what came is the page for signing in
    location.reload();
  }
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "calendar-dialog-body" && !dialog.open) dialog.showModal();
});

function focusCard() {
  const card = document.getElementById(wanted);
  (card?.querySelector(".cal-move") ?? card?.querySelector(".cal-text") ?? document.querySelector("#calendar-said .cal-button"))?.focus();
}

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id !== "calendar" && event.detail.elt.id !== "calendar") return;
  home = null;
  said.classList.add("cal-fresh");
  rove();
  if (dialog.open) {
    dialog.addEventListener("close", focusCard, { once: true }); // closing gives the focus to what was there before
    dialog.close();
  }
  focusCard();
});

// What was said stays in sight until the person goes on.
document.addEventListener("pointerdown", (event) => {
  if (!said.contains(event.target)) said.classList.remove("cal-fresh");
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.(".cal-move");
  if (opener) wanted = opener.closest("[data-post]").id;
  if (event.target.closest?.("[data-close]") && dialog.open) {
    event.preventDefault();
    dialog.close();
  }
});

// Arrow keys go from day to day, and from hour to hour; Tab leaves the grid, so that nobody has to walk through it all.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function rove() {
  for (const kind of ["day", "write"]) {
    const stops = [...document.querySelectorAll(`#calendar [data-rove=${kind}]`)];
    const first = stops.find((stop) => stop.getAttribute("aria-current")) ?? stops[0];
    stops.forEach((stop) => { stop.tabIndex = stop === first ? 0 : -1; });
  }
}

document.addEventListener("keydown", (event) => {
  const stop = event.target.closest?.("[data-rove]");
  const step = STEPS[event.key];
  if (!stop || !step || event.ctrlKey || event.metaKey || event.altKey) return;
  const [row, column] = [Number(stop.dataset.row) + step[0], Number(stop.dataset.column) + step[1]];
  const kind = `[data-rove=${stop.dataset.rove}]`;
  const next = document.querySelector(`#calendar ${kind}[data-row="${row}"][data-column="${column}"]`);
  if (!next) return;
  event.preventDefault();
  stop.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});

rove();
