// Follows the link to the network by itself; without it a click does.
"use strict";

window.location.replace(document.getElementById("leave").href);
