// What is kept in this browser of forms that were not saved: a few, not too large, not for long, each for one person.

const PREFIX = "sq-composer:";
const TAKEN = "sq-composer-taken:";
const MOST = 10;
const MOST_CHARACTERS = 400_000;
const LONGEST_MS = 14 * 24 * 3600 * 1000;

export const keyOf = (person) => `${PREFIX}${person}:${window.location.pathname}`;
// What was sent last from a page and taken: a browser that goes back may fill in the same again.
export const takenKeyOf = (key) => key.replace(PREFIX, TAKEN);

function all() {
  const found = [];
  try {
    for (const key of Object.keys(window.localStorage)) {
      if (key.startsWith(PREFIX)) found.push([key, read(key)]);
    }
  } catch { /* a browser without a store keeps nothing */ }
  return found;
}

export function read(key) {
  try {
    return JSON.parse(window.localStorage.getItem(key));
  } catch {
    return null;
  }
}

export function write(key, value) {
  try {
    const text = JSON.stringify(value);
    if (text.length > MOST_CHARACTERS) return;
    window.localStorage.setItem(key, text);
  } catch { /* full, or forbidden */ }
}

export function drop(key) {
  try {
    window.localStorage.removeItem(key);
  } catch { /* there is none */ }
}

/** Drop what was saved with the forms ``tokens``, what is too old, and the oldest of too many. */
export function tidy(tokens) {
  const isTaken = (value) => tokens.includes(value?.token);
  const good = (value) => value && !isTaken(value) && Date.now() - value.at < LONGEST_MS;
  const found = all();
  found.filter(([, value]) => isTaken(value)).forEach(([key, value]) => write(takenKeyOf(key), value));
  found.filter(([, value]) => !good(value)).forEach(([key]) => drop(key));
  found.filter(([, value]) => good(value)).sort(([, one], [, other]) => other.at - one.at).slice(MOST)
    .forEach(([key]) => drop(key));
}
