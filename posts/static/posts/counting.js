// How long a text is, in each of the units that networks count. The server counts alike in posts/text/counting.py and
// posts/text/web_addresses.py, which say why; tests hold both against the same vectors. The top domains are on the page.

const LONGEST_LABEL = 63;
const LONGEST_ADDRESS = 4096;
const LONGEST_SHORT_NAME = 40;

const NO_CHARACTERS = String.raw`\ufffe\ufeff\uffff`;
const SPACES = String.raw`\u0009-\u000d\u0020\u0085\u00a0\u1680\u180e\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const ACCENTED = String.raw`\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0253\u0254\u0256\u0257\u0259\u025b\u0263\u0268`
  + String.raw`\u026f\u0272\u0289\u028b\u02bb\u0300-\u036f\u1e00-\u1eff`;
const LETTERS = `A-Za-z0-9${String.raw`\u0400-\u04ff`}${ACCENTED}`;
const NOT_IN_HOSTS = String.raw`!'#%&()*+,\\.\/:;<=>?@\[\]\^{|}~$` + SPACES + NO_CHARACTERS
  + String.raw`\u202a-\u202e\u061c\u200e\u200f\u2066-\u2069`;
const AT_AN_EDGE = new RegExp(String.raw`[^_\-${NOT_IN_HOSTS}]`, "u");
const INSIDE = new RegExp(`[^${NOT_IN_HOSTS}]`, "u");
const LATIN = new RegExp(String.raw`[\-A-Za-z0-9${ACCENTED}]`, "u");
const NOT_BEFORE = new RegExp(String.raw`[A-Za-z0-9@\uff20$#\uff03${NO_CHARACTERS}]`, "u");
const NOT_BEFORE_BARE = "-_./";
const SCHEME = /https?:\/\/$/i;
const AFTER_TOP_DOMAIN = /[0-9A-Za-z@+-]/;
const ENCODED_TOP_DOMAIN = /xn--[-0-9A-Za-z]+/iy;
const DOTS_OF_OTHER_SCRIPTS = /[\u3002\uff0e\uff61]/;

function rest(inside, atTheEnd, query, queryEnd) {
  const bracket = String.raw`\((?:[${inside}]+|[${inside}]*\([${inside}]+\)[${inside}]*)\)`;
  const path = String.raw`\/(?:(?:[${inside}]|${bracket})*(?:[${atTheEnd}]|${bracket}))?`;
  return new RegExp(String.raw`(?::[0-9]+)?(${path})?(?:\?[${query}]*[${queryEnd}])?`, "uy");
}

const QUERY = String.raw`A-Za-z0-9!?*'@();:&=+$\/%#\[\]\-_.,~|`;
const QUERY_END = String.raw`A-Za-z0-9\-_&=#\/`;
const ANY_SCRIPT = String.raw`\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\uffef\u{10000}-\u{10fffd}`;
const RESTS = {
  x: rest(String.raw`${LETTERS}!*';:=+,.$\/%#\[\]\-\u2013_~@|&`, String.raw`${LETTERS}+\-=_#\/`, QUERY, QUERY_END),
  mastodon: rest(
    `^${SPACES}<>()?`,
    String.raw`^${SPACES}()?!*"'\u300c\u300d<>;:=,.$%\[\]~&|@`,
    String.raw`${QUERY}\^${ANY_SCRIPT}`,
    QUERY_END + ANY_SCRIPT,
  ),
};
const SHORT = new RegExp(String.raw`^https?:\/\/t\.co\/([A-Za-z0-9]+)(?:\?[${QUERY}]*[${QUERY_END}])?`, "i");

const PICTURE = String.raw`\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|[\u{E0020}-\u{E007E}]+\u{E007F})?`;
const EMOJI = new RegExp(String.raw`\p{RI}\p{RI}|[#*0-9]\uFE0F?\u20E3|${PICTURE}(?:\u200D${PICTURE})*`, "gu");
const LIGHT = /[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]/gu;
const WORD = String.raw`\p{L}\p{M}\p{Nd}\p{Pc}`;
const REMOTE_MENTION = new RegExp(
  String.raw`(?<![=\/${WORD}])(@[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?)@[${WORD}](?:[${WORD}.\-]*[${WORD}])?`,
  "gu",
);

const segmenter = typeof Intl.Segmenter === "function" ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;
const length = (text) => [...text].length;
const graphemes = (text) => (segmenter ? [...segmenter.segment(text)].length : length(text));
const utf8 = (text) => new TextEncoder().encode(text).length;

let topDomains = null;
let longestTopDomain = 0;

function readTopDomains() {
  if (topDomains) return;
  const place = document.querySelector("[data-top-domains]");
  topDomains = new Set(place ? place.dataset.topDomains.split(" ") : []);
  longestTopDomain = Math.max(0, ...[...topDomains].map(length));
}

// A text by characters, with the place of each in the string that regular expressions work on.
class Signs {
  constructor(text) {
    this.text = text;
    this.list = [...text];
    this.places = [];
    let place = 0;
    this.list.forEach((sign) => { this.places.push(place); place += sign.length; });
    this.places.push(place);
  }

  slice(start, end) { return this.text.slice(this.places[start], this.places[end]); }

  // The match of a sticky pattern at a character, and where it ends.
  match(pattern, start) {
    pattern.lastIndex = this.places[start];
    const match = pattern.exec(this.text);
    return { match, end: match ? start + length(match[0]) : start };
  }
}

function topDomainEnd(signs, start) {
  for (let size = Math.min(longestTopDomain, signs.list.length - start); size > 1; size -= 1) {
    const end = start + size;
    const afterIsFine = end >= signs.list.length || !AFTER_TOP_DOMAIN.test(signs.list[end]);
    if (afterIsFine && topDomains.has(signs.slice(start, end).toLowerCase())) return end;
  }
  const { match, end } = signs.match(ENCODED_TOP_DOMAIN, start);
  return match ? end : null;
}

// The host names of a text: label n is what stands before dot n; all is worked out from the last dot to the first.
class Hosts {
  constructor(signs, inside, edge) {
    this.signs = signs.list;
    this.edge = edge;
    this.dots = [];
    this.signs.forEach((sign, place) => { if (sign === ".") this.dots.push(place); });
    this.left = [];
    this.leftOfLast = [];
    this.dots.forEach((dot) => {
      let left = dot;
      let last = null;
      while (left && inside.test(this.signs[left - 1])) {
        left -= 1;
        if (last === null && this.signs[left] === "_") last = left + 1;
      }
      this.left.push(left);
      this.leftOfLast.push(last === null ? left : last);
    });
    this.top = this.dots.map((dot) => topDomainEnd(signs, dot + 1));
    this.whole = new Array(this.dots.length + 1).fill(null);
    for (let label = this.dots.length - 1; label > 0; label -= 1) {
      this.whole[label] = this.end(label, this.dots[label - 1] + 1);
    }
  }

  end(label, start) {
    const dot = this.dots[label];
    if (start < this.left[label] || start >= dot) return null;
    if (!this.edge.test(this.signs[start]) || !this.edge.test(this.signs[dot - 1])) return null;
    const further = this.whole[label + 1];
    if (further !== null) return further;
    return start >= this.leftOfLast[label] ? this.top[label] : null;
  }
}

function mayBegin(signs, place, at) {
  return place === 0 || (place > at && !NOT_BEFORE.test(signs.list[place - 1]));
}

function startOf(signs, hosts, label, at) {
  const left = hosts.left[label];
  const before = left > at ? signs.slice(Math.max(at, left - "https://".length), left) : "";
  const scheme = SCHEME.exec(before);
  if (scheme && hosts.end(label, left) !== null && mayBegin(signs, left - scheme[0].length, at)) {
    return { start: left - scheme[0].length, host: left };
  }
  for (let host = Math.max(left, at); host < hosts.dots[label]; host += 1) {
    if (hosts.end(label, host) === null || !mayBegin(signs, host, at)) continue;
    if (host === 0 && !NOT_BEFORE.test(signs.list[0]) && hosts.end(label, 1) !== null) continue;
    return { start: host, host };
  }
  return null;
}

// RFC 3492
function punycode(label) {
  const points = [...label].map((sign) => sign.codePointAt(0));
  let output = points.filter((point) => point < 128).map((point) => String.fromCodePoint(point)).join("");
  const basic = output.length;
  let [handled, current, delta, bias] = [basic, 128, 0, 72];
  if (basic) output += "-";
  while (handled < points.length) {
    const next = Math.min(...points.filter((point) => point >= current));
    delta += (next - current) * (handled + 1);
    current = next;
    for (const point of points) {
      if (point < current) delta += 1;
      if (point !== current) continue;
      let rest = delta;
      for (let k = 36; ; k += 36) {
        const threshold = Math.min(26, Math.max(1, k - bias));
        if (rest < threshold) { output += String.fromCharCode(rest < 26 ? rest + 97 : rest + 22); break; }
        const digit = threshold + ((rest - threshold) % (36 - threshold));
        output += String.fromCharCode(digit < 26 ? digit + 97 : digit + 22);
        rest = Math.floor((rest - threshold) / (36 - threshold));
      }
      delta = handled === basic ? Math.floor(delta / 700) : Math.floor(delta / 2);
      delta += Math.floor(delta / (handled + 1));
      let k = 0;
      while (delta > 455) { delta = Math.floor(delta / 35); k += 36; }
      bias = k + Math.floor((36 * delta) / (delta + 38));
      delta = 0;
      handled += 1;
    }
    delta += 1;
    current += 1;
  }
  return output;
}

function encodedLength(label) {
  if (length(label) > LONGEST_LABEL) return length(label);
  const isAscii = (part) => /^[\u0000-\u007f]*$/.test(part);
  const parts = label.split(DOTS_OF_OTHER_SCRIPTS);
  return parts.map((part) => (isAscii(part) ? part : `xn--${punycode(part)}`)).join(".").length;
}

function isAllowed(host, size) {
  if (host.startsWith("xn--") && !bare(host, 0, length(host)).length) return false;
  const fits = (label) => { const found = encodedLength(label); return found > 0 && found <= LONGEST_LABEL; };
  return host.split(".").every(fits) && size <= LONGEST_ADDRESS;
}

function bare(host, offset, end) {
  const hosts = new Hosts(new Signs(host), LATIN, LATIN);
  const found = [];
  let at = 0;
  hosts.dots.forEach((dot, label) => {
    const start = Math.max(hosts.left[label], at);
    const stops = dot >= at ? hosts.end(label, start) : null;
    if (stops === null) return;
    found.push({ start: offset + start, end: offset + stops });
    at = stops;
  });
  const further = end - offset - length(host);
  if (found.length && further > 0) found[found.length - 1].end += further;
  return found;
}

function endOfShort(signs, start, end) {
  const short = SHORT.exec(signs.slice(start, end));
  if (!short) return end;
  return short[1].length <= LONGEST_SHORT_NAME ? start + length(short[0]) : null;
}

function webAddresses(signs, dialect) {
  if (!signs.list.includes(".")) return [];
  readTopDomains();
  const hosts = new Hosts(signs, INSIDE, AT_AN_EDGE);
  const found = [];
  let at = 0;
  hosts.dots.forEach((dot, label) => {
    if (dot < at) return;
    const begun = startOf(signs, hosts, label, at);
    if (!begun) return;
    const { start, host } = begun;
    const endOfHost = hosts.end(label, host);
    const { match, end } = signs.match(RESTS[dialect], endOfHost);
    at = end;
    const name = signs.slice(host, endOfHost);
    if (!isAllowed(name, (host - start || "https://".length) + at - start)) return;
    if (host > start) {
      const stops = endOfShort(signs, start, at);
      if (stops !== null) found.push({ start, end: stops });
    } else if (dialect === "x" && !(host && NOT_BEFORE_BARE.includes(signs.list[host - 1]))) {
      found.push(...bare(name, host, match[1] ? at : endOfHost));
    }
  });
  return found;
}

function weight(text) {
  const left = text.replace(EMOJI, "");
  return 2 * (text.match(EMOJI) || []).length + 2 * length(left) - (left.match(LIGHT) || []).length;
}

function xWeighted(text, linkLength) {
  const signs = new Signs(text.normalize("NFC"));
  let [at, total] = [0, 0];
  webAddresses(signs, "x").forEach(({ start, end }) => {
    total += weight(signs.slice(at, start)) + linkLength;
    at = end;
  });
  return total + weight(signs.slice(at, signs.list.length));
}

function mastodon(text, linkLength) {
  const signs = new Signs(text);
  const addresses = webAddresses(signs, "mastodon").map(({ start, end }) => ({
    start: signs.places[start], end: signs.places[end], counted: "x".repeat(linkLength),
  }));
  const mentions = [...text.matchAll(REMOTE_MENTION)]
    .map((match) => ({ start: match.index, end: match.index + match[0].length, counted: match[1] }))
    .filter((mention) => !addresses.some((each) => mention.start < each.end && each.start < mention.end));
  let [at, counted] = [0, ""];
  [...addresses, ...mentions].sort((one, other) => one.start - other.start).forEach((each) => {
    counted += text.slice(at, each.start) + each.counted;
    at = each.end;
  });
  return graphemes(counted + text.slice(at));
}

const COUNTERS = {
  x_weighted: xWeighted,
  mastodon,
  threads: (text) => length(text.replace(EMOJI, "")) + utf8((text.match(EMOJI) || []).join("")),
  graphemes,
  code_points: length,
  utf16: (text) => text.length,
  utf8_bytes: utf8,
};

/** Return the length of ``text`` in ``unit``, one of TextUnit in posts/publishing/capabilities.py. */
export function count(text, unit, linkLength = 23) {
  return COUNTERS[unit](text, linkLength);
}
