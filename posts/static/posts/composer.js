// Makes the composer more comfortable; everything that matters works without it.

import "./composer/forget.js";
import { startCounters } from "./composer/counters.js";
import { startDialogs } from "./composer/dialogs.js";
import { startKeys } from "./composer/keys.js";
import { startLeaving } from "./composer/leaving.js";
import { startLibrary } from "./composer/library.js";
import { startPictures } from "./composer/pictures.js";
import { startPreviews } from "./composer/previews.js";
import { startUploads } from "./composer/uploads.js";

const form = document.getElementById("composer");

if (form) {
  form.querySelectorAll(".sq-scripted").forEach((part) => { part.hidden = false; });
  form.querySelectorAll(".sq-unscripted").forEach((part) => { part.hidden = true; });
  const pictures = startPictures(form);
  startLeaving(form, pictures);
  startCounters(form, pictures);
  startPreviews(form);
  startUploads(form, pictures);
  startLibrary(pictures);
  startDialogs();
  startKeys(form);
}
