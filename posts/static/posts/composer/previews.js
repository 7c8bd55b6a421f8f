// The server makes the previews; here is what happens where it cannot: the person is told, and nothing is exchanged.

export function startPreviews(form) {
  const place = document.getElementById("previews");
  const said = document.getElementById("previews-said");

  let underWay = null;

  function tell(sentence) {
    said.textContent = sentence ?? "";
    said.hidden = !sentence;
  }

  place.addEventListener("htmx:configRequest", (event) => {
    event.detail.parameters.csrfmiddlewaretoken = currentToken(form);
  });
  place.addEventListener("htmx:beforeSwap", (event) => {
    const isAway = new URL(event.detail.xhr.responseURL, window.location.href).pathname !== place.getAttribute("hx-post");
    if (isAway) event.detail.shouldSwap = false;
    if (event.detail.isError || isAway) tell(isAway ? said.dataset.away : said.dataset.failed);
    else tell("");
  });
  place.addEventListener("htmx:beforeSend", (event) => { underWay = event.detail.xhr; });
  // What leaving the page breaks off is no error of which anybody need be told.
  window.addEventListener("pagehide", () => { if (underWay) Object.assign(underWay, { onerror: null, onabort: null }); });
  place.addEventListener("htmx:sendError", () => tell(said.dataset.failed));
}

/** Return the token against forgery that the site knows now: signing in again in another tab has made a new one. */
export function currentToken(form) {
  const cookie = document.cookie.match(/(?:^|;\s*)csrftoken=([^;]+)/);
  return cookie ? cookie[1] : form.elements.namedItem("csrfmiddlewaretoken").value;
}
