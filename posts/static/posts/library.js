// Makes the media library more comfortable; everything works without it. Uploads each file as soon as it is chosen or
// dropped, with its progress, and puts its card on the page.

const say = (words, values) => words.replace(/\{(\w+)\}/g, (_all, name) => values[name] ?? "");

// What the browser cannot name is left to the server, which looks inside.
const isTaken = (file) => !file.type || /^(image|video)\/|^application\/pdf$/.test(file.type);

function mostOf(form, file) {
  return Number(file.type.startsWith("video/") || !file.type ? form.dataset.videoMaxBytes : form.dataset.maxBytes);
}

function send(form, file, bar, tell) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", form.elements.namedItem("csrfmiddlewaretoken").value);
    request.upload.onprogress = (event) => {
      if (!event.lengthComputable) return;
      const percent = Math.round((100 * event.loaded) / event.total);
      bar.value = percent;
      tell(say(percent < 100 ? form.dataset.sending : form.dataset.looking, { name: file.name, percent }));
    };
    request.onerror = () => resolve({ error: say(form.dataset.lost, { name: file.name }) });
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
      resolve(answer.cards?.length || answer.error ? answer : { error: say(form.dataset.lost, { name: file.name }) });
    };
    const body = new FormData();
    body.append("file", file);
    request.send(body);
  });
}

function addCards(cards) {
  const library = document.getElementById("library");
  if (!library) return;
  document.getElementById("library-empty")?.remove();
  cards.forEach((card) => library.insertAdjacentHTML("afterbegin", card));
}

async function take(form, file) {
  const line = document.createElement("li");
  const words = document.createElement("span");
  const bar = document.createElement("progress");
  bar.max = 100;
  bar.value = 0;
  const tell = (text) => { words.textContent = text; };
  line.append(words, bar);
  form.querySelector(".sq-sendings").prepend(line);
  let problem = "";
  if (!isTaken(file)) problem = say(form.dataset.wrong, { name: file.name });
  else if (file.size > mostOf(form, file)) {
    problem = say(form.dataset.large, { name: file.name, most: Math.round(mostOf(form, file) / 1e6) });
  } else {
    tell(say(form.dataset.sending, { name: file.name, percent: 0 }));
    const answer = await send(form, file, bar, tell);
    problem = answer.error ?? "";
    if (answer.cards) addCards(answer.cards);
  }
  bar.remove();
  line.classList.toggle("sq-refused", Boolean(problem));
  tell(problem || say(form.dataset.done, { name: file.name }));
}

async function takeAll(form, files) {
  for (const file of files) await take(form, file);
}

function uploads(form) {
  const input = form.querySelector("input[type=file]");
  form.querySelector("input[type=submit]").hidden = true;
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    takeAll(form, files);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("sq-drop"); });
  form.addEventListener("dragleave", () => form.classList.remove("sq-drop"));
  form.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("sq-drop");
    takeAll(form, [...event.dataTransfer.files]);
  });
}

const form = document.getElementById("library-upload");
if (form) uploads(form);
