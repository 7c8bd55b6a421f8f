// Makes the composer more comfortable; everything works without it. Live counters for each chosen account, uploading as
// soon as a file is chosen, dropped or pasted, and a warning before typed text is lost.
"use strict";

(() => {
  const form = document.getElementById("composer");
  if (!form) return;
  const text = form.elements.namedItem("text");
  const counters = document.getElementById("counters");
  const pictures = document.getElementById("pictures");

  // What the account's options take of the text's limit: a content warning, for example.
  function reserved(box, limit) {
    const fields = form.querySelectorAll(`[name^="option_${box.value}_"][data-counts]`);
    return [...fields].reduce((sum, field) => sum + window.socialqCount(field.value.trim(), limit.unit, limit.link_length), 0);
  }

  function showCounters() {
    const lines = [];
    const withMedia = pictures.children.length > 0;
    form.querySelectorAll("input[name=accounts]:checked").forEach((box) => {
      const own = form.elements.namedItem(`own_${box.value}`).value;
      const said = window.socialqWording(own.trim() ? own : text.value, JSON.parse(box.dataset.wording));
      JSON.parse(box.dataset.limits).filter((limit) => limit.with_media === withMedia).forEach((limit) => {
        const length = window.socialqCount(said, limit.unit, limit.link_length) + reserved(box, limit);
        const line = document.createElement("li");
        const unit = limit.unit === "utf8_bytes" ? "bytes" : "characters";
        const inParts = box.dataset.threads && form.elements.namedItem("thread_mode").value;
        const isOver = length > limit.maximum && !inParts;
        const over = isOver ? `, ${length - limit.maximum} too many` : "";
        line.textContent = inParts && length > limit.maximum
          ? `${box.dataset.name}: ${length} ${unit}, in parts of at most ${limit.maximum}`
          : `${box.dataset.name}: ${length} of ${limit.maximum} ${unit}${over}`;
        line.classList.toggle("sq-over", isOver);
        lines.push(line);
      });
    });
    counters.replaceChildren(...lines);
    counters.hidden = lines.length === 0;
  }

  const kinds = { image: "Picture", gif: "Animated picture", video: "Video", document: "Document" };

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function addPicture(answer) {
    const position = pictures.children.length + 1;
    const key = String(answer.id);
    pictures.append(element("li", {},
      answer.thumbnail
        ? element("img", { className: "sq-thumbnail", src: answer.thumbnail, alt: answer.name })
        : element("span", { className: "sq-thumbnail sq-no-preview", textContent: kinds[answer.kind] }),
      element("div", { className: "sq-picture-fields" },
        element("input", { type: "hidden", name: "picture", value: key }),
        element("p", { className: "sq-picture-name", textContent: answer.name }),
        ...(answer.kind === "document" ? [] : [
          element("label", { htmlFor: `alt_${key}`, textContent: "Alt text" }),
          element("textarea", {
            id: `alt_${key}`, name: `alt_${key}`, rows: 2, placeholder: "What it shows, for those who cannot see it",
          }),
        ]),
        element("div", { className: "sq-picture-row" },
          element("label", {}, "Position ",
            element("input", { type: "number", name: `position_${key}`, value: String(position), min: "1", max: "99" })),
          element("label", {}, element("input", { type: "checkbox", name: "remove", value: key }), " Remove")))));
    showCounters();
  }

  function send(input, file, tell) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", input.dataset.upload);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", form.elements.namedItem("csrfmiddlewaretoken").value);
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) tell(`${file.name}: ${Math.round((100 * event.loaded) / event.total)} %`);
      };
      request.onerror = () => { tell(`${file.name} did not arrive. Try again.`); resolve(false); };
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
        if (request.status === 201) addPicture(answer);
        else tell(answer.error || `${file.name} was refused.`);
        resolve(request.status === 201);
      };
      const body = new FormData();
      body.append("file", file);
      request.send(body);
    });
  }

  function uploads() {
    const input = document.getElementById("new_pictures");
    if (!input || !input.dataset.upload) return;
    const status = document.getElementById("upload-status");
    const place = input.closest(".sq-upload");
    const tell = (message) => { status.textContent = message; };
    form.elements.namedItem("_attach").hidden = true;

    // What the browser cannot name is left to the server, which looks inside.
    const isTaken = (file) => !file.type || /^(image|video)\/|^application\/pdf$/.test(file.type);
    const mostOf = (file) => Number(file.type.startsWith("video/") || !file.type ? input.dataset.videoMaxBytes : input.dataset.maxBytes);

    async function take(files) {
      let good = 0;
      for (const file of files) {
        if (!isTaken(file)) tell(`${file.name} is neither a picture, a video nor a PDF document.`);
        else if (file.size > mostOf(file)) tell(`${file.name} is too large: at most ${Math.round(mostOf(file) / 1e6)} MB.`);
        else if (await send(input, file, tell)) good += 1;
      }
      if (good === files.length) tell(good === 1 ? "Attached. Please say what it shows." : `${good} files attached. Please say what they show.`);
    }

    input.addEventListener("change", async () => {
      const files = [...input.files];
      input.value = "";
      await take(files);
    });
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) { event.preventDefault(); take(files); }
    });
    place.addEventListener("dragover", (event) => { event.preventDefault(); place.classList.add("sq-drop"); });
    place.addEventListener("dragleave", () => place.classList.remove("sq-drop"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      place.classList.remove("sq-drop");
      take([...event.dataTransfer.files]);
    });
  }

  let edited = false;
  form.addEventListener("input", () => { edited = true; showCounters(); });
  form.addEventListener("change", showCounters);
  form.addEventListener("submit", () => { edited = false; });
  window.addEventListener("beforeunload", (event) => { if (edited) event.preventDefault(); });
  uploads();
  showCounters();
})();
