// A link's page: copy the link, print the page.

import { say } from "./lookwho.js";

const link = document.querySelector("[data-link]");
const copy = document.querySelector("[data-copy]");
const print = document.querySelector("[data-print]");

if (link && copy) {
  link.addEventListener("focus", () => link.select());
  // Over plain HTTP browsers give no clipboard: then it is selected, to be copied by hand.
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    link.select();
    try {
      await navigator.clipboard.writeText(link.value);
      say("The link is copied.");
    } catch {
      link.focus();
    }
  });
}
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
