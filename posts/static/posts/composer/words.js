// Sentences come from the page, so that they are translated; what they are about is filled in here.

/** Return ``sentence`` with each ``{name}`` of ``values`` filled in. */
export function filled(sentence, values) {
  return (sentence ?? "").replace(/\{([a-z]+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole));
}

/** Return a new element with these properties and children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
