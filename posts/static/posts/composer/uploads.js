// Uploading as soon as a file is chosen, dropped or pasted, each with its own progress; what cannot be taken is said
// beside the file before a byte is sent. The server looks inside once more.

import { currentToken } from "./previews.js";
import { element, filled } from "./words.js";

const MEGABYTE = 1_000_000;

export function startUploads(form, pictures) {
  const input = document.getElementById("new_pictures");
  if (!input || !input.dataset.upload) return;
  const words = input.dataset;
  const list = document.getElementById("uploads");
  const status = document.getElementById("upload-status");
  const types = words.types.split(" ");
  form.elements.namedItem("_attach").hidden = true;

  function line(file) {
    const progress = element("progress", { max: 100, value: 0 });
    progress.setAttribute("aria-label", file.name);
    const said = element("span", { className: "sq-upload-said", textContent: file.name });
    const row = element("li", { className: "sq-uploading" }, said, progress);
    list.append(row);
    return {
      row,
      advance: (percent) => {
        progress.value = percent;
        said.textContent = filled(words.underWay, { name: file.name, percent });
      },
      refuse: (sentence) => {
        row.className = "sq-upload-refused";
        const close = element("button", { type: "button", className: "button", textContent: words.dismiss });
        close.addEventListener("click", () => row.remove());
        row.replaceChildren(element("span", { className: "sq-upload-said", textContent: sentence }), close);
      },
    };
  }

  // What the browser cannot name is left to the server, which looks inside.
  function refusal(file) {
    const isVideo = !file.type || file.type.startsWith("video/");
    const most = Number(isVideo ? words.videoMaxBytes : words.maxBytes);
    const megabytes = (bytes) => (bytes / MEGABYTE).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
    if (file.type && !types.includes(file.type)) return filled(words.badType, { name: file.name });
    if (!file.size) return filled(words.empty, { name: file.name });
    if (file.size <= most) return "";
    return filled(words.tooLarge, { name: file.name, size: megabytes(file.size), limit: megabytes(most) });
  }

  function send(file, place) {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("POST", words.upload);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", currentToken(form));
      request.upload.onprogress = (event) => {
        if (event.lengthComputable) place.advance(Math.round((100 * event.loaded) / event.total));
      };
      request.onerror = () => { place.refuse(filled(words.lost, { name: file.name })); resolve(); };
      request.onload = () => {
        let answer = {};
        try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
        if (request.status === 201) {
          place.row.remove();
          pictures.add(answer);
          status.textContent = words.attached;
        } else place.refuse(answer.error || filled(words.refused, { name: file.name }));
        resolve();
      };
      const body = new FormData();
      body.append("file", file);
      request.send(body);
    });
  }

  async function take(files) {
    const places = files.map((file) => [file, line(file), refusal(file)]);
    places.forEach(([, place, why]) => { if (why) place.refuse(why); });
    for (const [file, place, why] of places) {
      if (!why) await send(file, place);
    }
  }

  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    take(files);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    take(files);
  });

  const bringsFiles = (event) => !pictures.isDragging() && event.dataTransfer?.types.includes("Files");
  form.addEventListener("dragover", (event) => {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    form.classList.add("sq-drop");
  });
  form.addEventListener("dragleave", (event) => {
    if (!form.contains(event.relatedTarget)) form.classList.remove("sq-drop");
  });
  form.addEventListener("drop", (event) => {
    form.classList.remove("sq-drop");
    if (!bringsFiles(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
}
