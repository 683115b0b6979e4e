// One photo: the arrow keys and swiping lead to the ones beside it, Escape back to the grid; what
// is pointed at in the photo is shown in the list of faces, and the other way round.

const stage = document.querySelector("[data-stage]");
const back = document.querySelector("[data-back]");
const large = stage.querySelector(".large");
const OPENED = "lookwho-opened";
// A swipe is this far, in pixels, and mostly sideways.
const FAR = 56;

// --- the ones beside it ---

// The photo that was opened from a grid is left by going back: then the grid is as it was. Beside
// it, pages take each other's place, so that going back leads to the grid from there, too.
const isGrid = (address) => /\/(photos|photos\/(most-)?liked|me|people\/[^/]+|albums\/[^/]+)$/.test(address.pathname);
const came = document.referrer ? new URL(document.referrer) : null;
if (came && came.origin === location.origin && isGrid(came)) {
  sessionStorage.setItem(OPENED, location.pathname);
}

function leave() {
  if (sessionStorage.getItem(OPENED) === location.pathname && history.length > 1) history.back();
  else location.replace(back.href);
}

function turn(where) {
  const link = document.querySelector(`a[rel=${where}]`);
  if (link) location.replace(link.href);
}

stage.addEventListener("click", (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  const link = event.target.closest("a[rel], a[data-back]");
  if (!link) return;
  event.preventDefault();
  if (link.rel) turn(link.rel);
  else leave();
});

// Before others hear of a key, so that what is open is still open: Escape is then theirs.
const ELSEWHERE = "dialog[open], details.account[open], .options, .stage.drawing";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  if (event.defaultPrevented || document.querySelector(ELSEWHERE)) return;
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape") {
    const open = document.querySelector("details.sitter[open], details.absent[open], details.removal[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (!typing) leave();
    else typing.blur();
  } else if (!typing && event.key === "ArrowLeft") turn("prev");
  else if (!typing && event.key === "ArrowRight") turn("next");
}, true);

let began = null;
stage.addEventListener("touchstart", (event) => {
  const [touch] = event.touches;
  const zoomed = (visualViewport?.scale ?? 1) > 1.02;
  const turns = event.touches.length === 1 && !zoomed && !stage.matches(".drawing");
  began = turns ? { x: touch.clientX, y: touch.clientY } : null;
}, { passive: true });
stage.addEventListener("touchend", (event) => {
  if (!began) return;
  const [touch] = event.changedTouches;
  const x = touch.clientX - began.x;
  const y = touch.clientY - began.y;
  began = null;
  if (Math.abs(x) > FAR && Math.abs(x) > 2 * Math.abs(y)) turn(x > 0 ? "prev" : "next");
}, { passive: true });

// --- the picture ---

function shown() {
  stage.querySelector(".soon").classList.add("done");
  for (const link of stage.querySelectorAll("[data-picture]")) new Image().src = link.dataset.picture;
}

async function sorry() {
  const note = stage.querySelector(".sorry");
  stage.querySelector(".picture").hidden = true;
  note.hidden = false;
  const answer = await fetch(large.src);
  if (!answer.ok) note.lastElementChild.textContent = (await answer.text()).slice(0, 300);
}

if (!large.complete) {
  large.addEventListener("load", shown);
  large.addEventListener("error", sorry);
} else if (large.naturalWidth) shown();
else sorry();

// --- faces: in the photo and in the list ---

const listed = (uuid) => document.querySelector(`[data-face="${uuid}"]`);
const boxed = (uuid) => stage.querySelector(`[data-box="${uuid}"]`);
const label = document.createElement("span");
label.className = "label";
label.hidden = true;
stage.append(label);

function light(uuid, on) {
  listed(uuid)?.classList.toggle("lit", on);
  const box = boxed(uuid);
  box?.classList.toggle("lit", on);
  label.hidden = !on || !box;
  if (label.hidden) return;
  label.textContent = listed(uuid)?.querySelector(".name").textContent ?? "";
  const face = box.getBoundingClientRect();
  const frame = stage.getBoundingClientRect();
  const below = face.bottom + 40 < frame.bottom;
  label.style.left = `${face.left + face.width / 2 - frame.left}px`;
  label.style.top = `${(below ? face.bottom : face.top - 44) - frame.top}px`;
}

function open(uuid) {
  const face = listed(uuid);
  if (!face || "still" in face.dataset) return;
  face.open = true;
  face.querySelector("input[name=name]")?.focus();
  face.scrollIntoView({ block: "nearest" });
}

function uuidAt(event) {
  const at = event.target.closest?.("[data-box], [data-face]");
  return at && (at.dataset.box ?? at.dataset.face);
}

for (const [name, on] of [["pointerover", true], ["focusin", true], ["pointerout", false], ["focusout", false]]) {
  document.addEventListener(name, (event) => {
    const uuid = uuidAt(event);
    if (uuid) light(uuid, on);
  });
}

document.addEventListener("click", (event) => {
  const box = event.target.closest("[data-box]");
  if (box) {
    event.preventDefault();
    open(box.dataset.box);
  } else if (event.target.closest("[data-still] > summary")) event.preventDefault();
});

// After an answer the list is drawn anew: on to the next face that nobody has named.
let said = null;
document.addEventListener("htmx:beforeRequest", (event) => {
  const face = event.target.closest?.("[data-face]");
  if (face) said = face.dataset.face;
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (!said || event.detail.target.id !== "faces") return;
  const faces = [...document.querySelectorAll("[data-face]")];
  const at = faces.findIndex((face) => face.dataset.face === said);
  const next = [...faces.slice(at + 1), ...faces.slice(0, at + 1)].find((face) =>
    face.classList.contains("unnamed"),
  );
  said = null;
  if (next) open(next.dataset.face);
  else (faces[at] ?? faces[0])?.querySelector("summary").focus();
});

// Somebody whose face does not show is typed at once, and once said there is room for the next.
const absent = document.querySelector("details.absent");
absent?.querySelector("summary").addEventListener("click", (event) => {
  event.preventDefault(); // it would open later than the next key comes
  absent.open = !absent.open;
  if (absent.open) absent.querySelector("input[name=name]").focus();
});
absent?.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!detail.successful) return;
  absent.querySelector("form").reset();
  absent.open = false;
  absent.querySelector("summary").focus();
});

if (location.hash.startsWith("#face-")) open(location.hash.slice(6));
