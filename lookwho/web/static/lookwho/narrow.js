// The filter of the timeline, as a dialog over it; without this script it is a page of its own.

const opener = document.querySelector("[data-narrow]");

function prepare(form) {
  for (const find of form.querySelectorAll("[data-find]")) {
    find.hidden = false;
    find.addEventListener("input", () => {
      const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
      const words = plain(find.value).split(/\s+/).filter(Boolean);
      for (const pill of find.parentElement.querySelectorAll(".pills:not(.how) .pill")) {
        const name = plain(pill.textContent);
        pill.hidden = !pill.firstElementChild.checked && !words.every((word) => name.includes(word));
      }
    });
    find.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      // Enter takes the first name that is left, rather than sending the form.
      event.preventDefault();
      const shown = ".pills:not(.how) .pill:not([hidden]) input:not(:checked)";
      find.parentElement.querySelector(shown)?.click();
      find.value = "";
      find.dispatchEvent(new Event("input"));
    });
  }
  // Fields that say nothing would only make the address long.
  form.addEventListener("submit", () => {
    const people = form.querySelector("[name=person]:checked");
    for (const field of form.elements) {
      const idle = field.name === "together" && (!people || field.value === "all");
      if (field.name && (!field.value || idle)) field.disabled = true;
    }
  });
}

async function open() {
  const answer = await fetch(opener.href);
  if (!answer.ok || answer.redirected) {
    location.assign(opener.href);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = document.adoptNode(page.getElementById("narrowing"));
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  dialog.setAttribute("aria-labelledby", "narrowing-title");
  dialog.append(form);
  document.body.append(dialog);
  prepare(form);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    const outside = event.target === dialog;
    if (!outside && !event.target.closest("[data-close]")) return;
    event.preventDefault();
    dialog.close();
  });
  // Else the first name would have the focus, and on a phone the heading would be out of view.
  const heading = form.querySelector("h1");
  heading.tabIndex = -1;
  heading.autofocus = true;
  dialog.showModal();
}

opener?.addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open();
});
const alone = document.querySelector("#narrowing");
if (alone) prepare(alone);
// Coming back to the page, the fields that were left out are there again.
addEventListener("pageshow", () => {
  for (const field of document.querySelector("#narrowing")?.elements ?? []) field.disabled = false;
});
