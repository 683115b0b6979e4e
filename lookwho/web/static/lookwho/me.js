// A selfie is sent as soon as it was taken or chosen.

document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-selfie]");
  if (!form || !event.target.files?.length) return;
  // Of the two ways only the one that was used is sent.
  for (const input of form.querySelectorAll("input[type=file]")) input.removeAttribute("name");
  event.target.name = "selfie";
  form.classList.add("busy");
  form.requestSubmit();
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-selfie].busy")) {
    form.classList.remove("busy");
    form.reset();
  }
});

// "Maybe you" is folded away until it is asked for.
function unfold() {
  if (location.hash === "#maybe") document.getElementById("maybe")?.setAttribute("open", "");
}
addEventListener("hashchange", unfold);
unfold();
