// Parts of a page that htmx asks for anew by itself; the tag live_part makes them. They rest in a hidden tab and while
// the person has paused them, leave the messages for the page that they are for, and keep what is open, scrolled or
// focused. Where the shape (data-shape) of a part changes, the rest of its page is another one as well: that is loaded
// anew, unless the person has typed something.

const FOCUSABLE = "a[href], button, summary, input, select, textarea, [tabindex]";
const sent = new Map(); // what the server sent last, by id of the part
const underWay = new Map(); // the request for each part
const held = new Map(); // what to scroll and focus again once a part is exchanged
let paused = false;
let edited = false;

const partOf = (event) => {
  const element = event.detail.requestConfig?.elt ?? event.detail.elt;
  return element?.matches?.("[data-live]") ? element : null;
};

document.addEventListener("input", () => { edited = true; });

document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.elt.matches("[data-live]")) event.detail.headers["X-Live"] = "1";
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (partOf(event) && (paused || document.hidden)) event.preventDefault();
});

document.addEventListener("htmx:beforeSend", (event) => {
  const part = partOf(event);
  if (part) underWay.set(part.id, event.detail.xhr);
});

// What leaving the page breaks off is no error of which anybody need be told.
window.addEventListener("pagehide", () => {
  underWay.forEach((request) => Object.assign(request, { onerror: null, onabort: null }));
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const part = partOf(event);
  if (!part) return;
  const fresh = new DOMParser().parseFromString(event.detail.serverResponse, "text/html").getElementById(part.id);
  const same = fresh && fresh.outerHTML === sent.get(part.id);
  if (!fresh || same) { // the login page has no such part; what is the same is not said to a screen reader again
    event.detail.shouldSwap = false;
    return;
  }
  if (fresh.dataset.shape !== part.dataset.shape && !edited) {
    event.detail.shouldSwap = false;
    window.location.replace(window.location.pathname + window.location.search);
    return;
  }
  sent.set(part.id, fresh.outerHTML);
  keep(part, fresh);
  event.detail.serverResponse = fresh.outerHTML;
});

document.addEventListener("htmx:afterSwap", (event) => {
  const id = partOf(event)?.id;
  const part = document.getElementById(id);
  const { scrolled = [], focused = null } = held.get(id) ?? {};
  held.delete(id);
  if (!part) return;
  scrolled.forEach(([name, left]) => { document.getElementById(name)?.scrollTo({ left }); });
  if (focused) [...part.querySelectorAll(FOCUSABLE)].find((element) => name(element) === focused)?.focus({ preventScroll: true });
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (!partOf(event)) return;
  document.querySelectorAll("[data-live-lost]").forEach((note) => { note.hidden = event.detail.successful; });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-live-pause]");
  if (!button) return;
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  if (!paused) now();
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) now(); });

document.querySelectorAll("[data-live-pause]").forEach((button) => { button.hidden = false; });

function now() {
  document.querySelectorAll("[data-live]").forEach((part) => window.htmx.trigger(part, "live:now"));
}

function keep(part, fresh) {
  part.querySelectorAll("details[id]").forEach((details) => {
    fresh.querySelector(`#${CSS.escape(details.id)}`)?.toggleAttribute("open", details.open);
  });
  const scrolled = [...part.querySelectorAll("[id]")].filter((element) => element.scrollLeft).map((element) => [element.id, element.scrollLeft]);
  const active = document.activeElement;
  held.set(part.id, { scrolled, focused: part.contains(active) && !active.id ? name(active) : null });
}

function name(element) {
  return `${element.tagName} ${element.getAttribute("href") ?? element.textContent.trim()}`;
}
