// Live counters: how long the text is on each chosen account, its own text there, and the first comment.
// The server counts alike; what it says in the previews is what holds.

import { count } from "../counting.js";
import { isSplitByHand, withoutMarks, worded } from "../wording.js";
import { element, filled } from "./words.js";

export function startCounters(form, pictures) {
  const text = form.elements.namedItem("text");
  const comment = form.elements.namedItem("first_comment");
  const mode = form.elements.namedItem("thread_mode");
  const place = document.getElementById("counters");
  const commentPlace = document.getElementById("comment-counters");
  const words = place.dataset;

  // What the account's options take of the text's limit: a content warning, for example.
  function reserved(box, limit) {
    const fields = form.querySelectorAll(`[name^="option_${box.value}_"][data-counts]`);
    return [...fields].reduce((sum, field) => sum + count(field.value.trim(), limit.unit, limit.link_length), 0);
  }

  function line(box, limit, length, isInParts = false) {
    const over = length - limit.maximum;
    const unit = limit.unit === "utf8_bytes" ? words.bytes : words.characters;
    const sentence = isInParts ? words.parts : over > 0 ? words.over : words.said;
    const said = filled(sentence, { name: box.dataset.name, length, maximum: limit.maximum, unit, over });
    return element("li", { className: over > 0 && !isInParts ? "sq-over" : "", textContent: said });
  }

  // Of several limits the one to watch is that which is used up most; the previews show the same.
  function tightest(lengths) {
    return lengths.reduce((most, each) => (most && most.length / most.limit.maximum >= each.length / each.limit.maximum ? most : each), null);
  }

  function linesOf(box, written) {
    const hasThreads = Boolean(box.dataset.threads && mode.value);
    const whole = worded(written, JSON.parse(box.dataset.wording));
    const said = hasThreads ? whole.trim() : withoutMarks(whole);
    const hasFiles = pictures.count() > 0;
    const limits = JSON.parse(box.dataset.limits).filter((limit) => limit.with_media === hasFiles);
    const found = tightest(limits.map((limit) => (
      { limit, length: count(said, limit.unit, limit.link_length) + reserved(box, limit) }
    )));
    if (!found) return [];
    return [line(box, found.limit, found.length, hasThreads && (found.length > found.limit.maximum || isSplitByHand(said)))];
  }

  function commentLines(box) {
    const said = worded(comment.value.trim(), { ...JSON.parse(box.dataset.wording), signature: "" });
    const limits = said ? JSON.parse(box.dataset.comment) : [];
    const found = tightest(limits.map((limit) => ({ limit, length: count(said, limit.unit, limit.link_length) })));
    return found ? [line(box, found.limit, found.length)] : [];
  }

  function put(list, lines) {
    list.replaceChildren(...lines);
    list.hidden = lines.length === 0;
  }

  function show() {
    const chosen = [...form.querySelectorAll("input[name=accounts]:checked")];
    const own = (box) => form.elements.namedItem(`own_${box.value}`).value;
    put(place, chosen.flatMap((box) => linesOf(box, own(box).trim() ? own(box) : text.value)));
    put(commentPlace, chosen.flatMap(commentLines));
    chosen.forEach((box) => {
      put(document.getElementById(`own_${box.value}_counters`), own(box).trim() ? linesOf(box, own(box)) : []);
    });
  }

  form.addEventListener("input", show);
  form.addEventListener("change", show);
  show();
}
