// Rules for parts of a page that htmx asks for anew by itself (hx-trigger="every …" on an element with data-live).
// They rest in a hidden tab and while the person has paused them, and they say when they were last up to date.

const live = (element) => element?.closest?.("[data-live]");
let paused = false;

document.addEventListener("htmx:beforeRequest", (event) => {
  if (live(event.target) && event.detail.requestConfig.verb === "get" && (paused || document.hidden)) event.preventDefault();
});

document.addEventListener("htmx:afterRequest", (event) => {
  const part = live(event.target);
  if (!part) return;
  document.querySelectorAll("[data-live-said]").forEach((place) => {
    const said = event.detail.successful ? place.dataset.liveSaid : place.dataset.liveLost;
    if (event.detail.successful) place.dataset.liveAt = new Date().toLocaleTimeString(document.documentElement.lang);
    place.textContent = (said ?? "").replace("{at}", place.dataset.liveAt ?? "");
  });
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-live-pause]");
  if (!button) return;
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.querySelectorAll("[data-live]").forEach((part) => window.htmx.trigger(part, "live:now"));
});
