// A form that the server has taken need not be kept any more; its page says which one that was.

import { tidy } from "./kept.js";

tidy(document.querySelector("meta[name=sq-taken]")?.content ?? "");
