// Members: a role is saved once it is another one, and a link is copied with one click.

document.addEventListener("change", ({ target }) => {
  const form = target.closest("[data-role]");
  const initial = target.querySelector?.("option[selected]")?.value;
  form?.querySelector("[data-when-changed]").classList.toggle("shown", target.value !== initial);
});

const link = document.querySelector("[data-link]");
const copy = document.querySelector("[data-copy]");
if (link && copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(link.value);
    copy.textContent = "Copied";
  });
}
link?.addEventListener("focus", () => link.select());
