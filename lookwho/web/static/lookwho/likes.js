// The like button of a photo: the key L presses it.

const ELSEWHERE = "dialog[open], details.account[open], .options, .stage.drawing";

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "l" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.defaultPrevented || event.repeat || document.querySelector(ELSEWHERE)) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  document.getElementById("like")?.click();
});
