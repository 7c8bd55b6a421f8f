// What goes out for an account: variables filled in, UTM parameters on links, the signature below. The server does the
// same in posts/text/variables.py and posts/services/wording.py; tests hold both against the same vectors.

const VARIABLE = /\{([a-z][a-z0-9_]{0,39})\}/g;
const LINK = /https?:\/\/[^\s<>"{}]+/g;
const NO_PART_OF_A_LINK = ".,;:!?'\"”’)]}…";
const UTM_NAMES = ["utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"];
// As Python's quote: encodeURIComponent leaves these as they are.
const encoded = (value) => encodeURIComponent(value).replace(/[!'()*]/g, (sign) =>
  `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function tagged(found, wanted) {
  let end = found.length;
  while (end && NO_PART_OF_A_LINK.includes(found[end - 1])) end -= 1;
  const link = found.slice(0, end);
  const mark = link.indexOf("#");
  const address = mark < 0 ? link : link.slice(0, mark);
  if (address.includes("utm_")) return found;
  const fragment = mark < 0 ? "" : link.slice(mark);
  return `${address}${address.includes("?") ? "&" : "?"}${wanted}${fragment}${found.slice(end)}`;
}

/** Return ``text`` as it goes out for an account. */
export function worded(text, { variables = {}, utm = {}, signature = "" }) {
  const filled = text.replace(VARIABLE, (whole, name) => (Object.hasOwn(variables, name) ? variables[name] : whole));
  const wanted = UTM_NAMES.filter((name) => utm[name]).map((name) => `${name}=${encoded(utm[name])}`).join("&");
  const linked = wanted ? filled.replace(LINK, (found) => tagged(found, wanted)) : filled;
  return signature.trim() ? `${linked.trimEnd()}\n\n${signature.trim()}`.replace(/^\n+|\n+$/g, "") : linked;
}

// A line of three dashes splits a thread by hand, as in posts/text/threads.py.
const MARKER = /(?<![^\n])[ \t]*---[ \t]*(?:\n|(?![\s\S]))/;

/** Return ``text`` as one post: the lines that split it by hand are gone. */
export function withoutMarks(text) {
  const outer = (part) => part.replace(/^\n+|\n+$/g, "");
  return MARKER.test(text) ? outer(text.split(new RegExp(MARKER, "g")).map(outer).join("\n")) : text;
}

/** Say whether ``text`` is split by hand. */
export function isSplitByHand(text) {
  return text.split(new RegExp(MARKER, "g")).filter((part) => part.trim()).length > 1;
}
