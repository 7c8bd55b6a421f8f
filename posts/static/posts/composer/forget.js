// A form that the server has taken need not be kept any more; the page says which ones those are.

import { tidy } from "./kept.js";

tidy(document.querySelector("meta[name=sq-taken]").content.split(" "));
