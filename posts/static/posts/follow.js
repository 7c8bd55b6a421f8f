// Keeps what is on its way up to date without a reload: reads the page again and exchanges the part that says so.
// Works only on elements with data-follow (milliseconds); stops when the part stops asking for it, rests in a hidden tab.
"use strict";

(() => {
  let edited = false;
  document.addEventListener("input", () => { edited = true; });

  async function look(part) {
    const answer = await fetch(window.location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return part;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (!fresh) return part;
    const over = !fresh.dataset.follow || Boolean(document.getElementById("composer")) !== Boolean(page.getElementById("composer"));
    if (over && !edited) {
      window.location.reload();
      return null;
    }
    const here = document.adoptNode(fresh);
    part.replaceWith(here);
    return here;
  }

  async function follow(part) {
    while (part && part.dataset.follow) {
      await new Promise((resolve) => { setTimeout(resolve, Number(part.dataset.follow)); });
      if (document.hidden) continue;
      try {
        part = await look(part);
      } catch {
        // The server cannot be reached just now; the next look may succeed.
      }
    }
  }

  document.querySelectorAll("[data-follow]").forEach(follow);
})();
