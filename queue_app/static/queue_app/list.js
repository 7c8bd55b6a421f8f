// Selecting rows or cards of a list: the whole page, a stretch with Shift, all that match. Says why nothing happens where
// nothing is selected. Without it the tick boxes and buttons send their form all the same. Its words stand in the page.

const bulk = document.querySelector("[data-bulk]");
const rows = bulk?.closest("form");
const whole = document.getElementById("action-toggle");
const across = bulk?.querySelector("[data-bulk-all]");
const count = bulk?.querySelector("[data-bulk-count]");
const help = bulk?.querySelector("[data-bulk-help]");
let last = null;

// Asked anew each time: a list may gain rows while it is open.
const boxes = () => [...rows.querySelectorAll("input.action-select")];

function show() {
  const all = boxes();
  const chosen = all.filter((box) => box.checked).length;
  all.forEach((box) => box.closest("tr, li").classList.toggle("selected", box.checked));
  if (whole) {
    whole.checked = all.length > 0 && chosen === all.length;
    whole.indeterminate = chosen > 0 && chosen < all.length;
  }
  if (across && chosen < all.length) across.checked = false;
  if (count) {
    count.hidden = chosen === 0;
    count.textContent = across?.checked ? count.dataset.all : count.dataset.some.replace("{n}", chosen);
  }
  if (help && chosen > 0) help.hidden = true;
}

function tick(checked) {
  boxes().forEach((box) => { box.checked = checked; });
  show();
}

function stretch(box, event) {
  if (event.shiftKey && last && last !== box) {
    const all = boxes();
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((one, other) => one - other);
    all.slice(from, to + 1).forEach((each) => { each.checked = box.checked; });
  }
  last = box;
  show();
}

if (bulk) {
  rows.addEventListener("click", (event) => {
    if (event.target.matches("input.action-select")) stretch(event.target, event);
  });
  if (whole) {
    whole.closest("[hidden]")?.removeAttribute("hidden");
    whole.addEventListener("change", () => tick(whole.checked));
  }
  across?.addEventListener("change", () => tick(across.checked));
  rows.addEventListener("submit", (event) => {
    if (!event.submitter?.closest(".sq-bulk-buttons") || boxes().some((box) => box.checked)) return;
    event.preventDefault();
    help.hidden = false;
  });
  window.addEventListener("pageshow", show);
}

// One menu is open at a time; Escape and a click elsewhere close it.
const menus = [...document.querySelectorAll("details.sq-menu")];
const close = (but) => menus.forEach((menu) => { if (menu !== but) menu.open = false; });
document.addEventListener("click", (event) => close(event.target.closest("details.sq-menu")));
document.addEventListener("keydown", (event) => {
  const open = menus.find((menu) => menu.open);
  if (event.key !== "Escape" || !open) return;
  open.open = false;
  open.querySelector("summary").focus();
});
