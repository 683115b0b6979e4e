// Framing a face in a photo: one that was overlooked, or one that is framed wrongly.
//
// A frame lies on the photo: dragged as a whole or by a corner, drawn anew beside it, by mouse,
// finger or pen. With the focus on it the arrow keys move it, with Shift they make it larger or
// smaller, Enter goes on to the name or saves, and Escape leaves everything as it was.

const stage = document.querySelector("[data-stage]");
const form = document.getElementById("framing");
const how = document.getElementById("framing-how");
const naming = form.querySelector("[data-naming]");
const CORNERS = ["left top", "right top", "left bottom", "right bottom"];
// In pixels on the screen: what is smaller is no frame, but a slip of the finger.
const LEAST = 10;
// Of the photo's shorter side: what a frame begins with, and how far a key moves it.
const FIRST = 0.18;
const STEP = 0.01;
const WORDS = {
  draw: "Drag a frame around the face, or move this one.",
  fix: "Drag the corners to where the face is.",
};

let canvas;
let frame;
let box;
let opener;
let drag;

const fixing = () => Boolean(opener && "fix" in opener.dataset);
const within = (value, low, high) => Math.min(high, Math.max(low, value));

// --- where the photo is on the page ---

function place() {
  const boxes = document.getElementById("boxes");
  const shape = boxes.getScreenCTM();
  const ground = stage.getBoundingClientRect();
  const { width, height } = boxes.viewBox.baseVal;
  Object.assign(canvas.style, {
    left: `${shape.e - ground.left}px`,
    top: `${shape.f - ground.top}px`,
    width: `${width * shape.a}px`,
    height: `${height * shape.d}px`,
  });
}

/** Return where an event is in the photo, as fractions, and never outside it. */
function spot({ clientX, clientY }) {
  const area = canvas.getBoundingClientRect();
  return {
    x: within((clientX - area.left) / area.width, 0, 1),
    y: within((clientY - area.top) / area.height, 0, 1),
  };
}

function show(next) {
  box = next;
  frame.hidden = !box;
  form.elements.box.value = box ? box.map((edge) => edge.toFixed(5)).join(" ") : "";
  if (!box) return;
  const [x1, y1, x2, y2] = box.map((edge) => 100 * edge);
  Object.assign(frame.style, { left: `${x1}%`, top: `${y1}%`, width: `${x2 - x1}%`, height: `${y2 - y1}%` });
}

/** Return a frame with its corners in order, inside the photo. */
function framed(x1, y1, x2, y2) {
  const [left, right] = [x1, x2].sort((a, b) => a - b);
  const [top, bottom] = [y1, y2].sort((a, b) => a - b);
  return [left, top, right, bottom].map((edge) => within(edge, 0, 1));
}

function moved(from, x, y) {
  const [x1, y1, x2, y2] = from;
  const right = within(x, -x1, 1 - x2);
  const down = within(y, -y1, 1 - y2);
  return [x1 + right, y1 + down, x2 + right, y2 + down];
}

// --- dragging ---

function began(event) {
  if (event.button || drag) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  const at = spot(event);
  const corner = event.target.dataset?.corner;
  const before = box;
  if (corner) {
    const [x1, y1, x2, y2] = box;
    // The corner across stays where it is.
    drag = { before, fixed: { x: corner.includes("left") ? x2 : x1, y: corner.includes("top") ? y2 : y1 } };
  } else if (frame.contains(event.target)) drag = { before, from: at };
  else drag = { before, fixed: at };
  frame.focus({ preventScroll: true });
}

function dragged(event) {
  if (!drag) return;
  const at = spot(event);
  if (drag.from) show(moved(drag.before, at.x - drag.from.x, at.y - drag.from.y));
  else show(framed(drag.fixed.x, drag.fixed.y, at.x, at.y));
}

function ended(event) {
  if (!drag) return;
  const { before, fixed } = drag;
  drag = undefined;
  const area = canvas.getBoundingClientRect();
  const small = (box[2] - box[0]) * area.width < LEAST || (box[3] - box[1]) * area.height < LEAST;
  if (event.type === "pointercancel" || (fixed && small)) show(before);
  // With a mouse one has a keyboard, too: the name can be typed at once.
  else if (fixed && !fixing() && event.pointerType === "mouse") form.elements.name.focus();
}

// --- keys ---

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    event.preventDefault();
    if (fixing()) form.requestSubmit();
    else form.elements.name.focus();
    return;
  }
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way) return;
  event.preventDefault();
  const area = canvas.getBoundingClientRect();
  const step = STEP * Math.min(area.width, area.height);
  const [x, y] = [(way[0] * step) / area.width, (way[1] * step) / area.height];
  if (!event.shiftKey) return show(moved(box, x, y));
  const [x1, y1, x2, y2] = box;
  const least = [LEAST / area.width, LEAST / area.height];
  show([x1, y1, within(x2 + x, x1 + least[0], 1), within(y2 + y, y1 + least[1], 1)]);
}

// --- beginning and leaving ---

function begin(by) {
  if (canvas) leave(false);
  opener = by;
  canvas = document.createElement("div");
  canvas.className = "canvas";
  frame = document.createElement("div");
  frame.className = "frame";
  frame.tabIndex = 0;
  frame.setAttribute("role", "application");
  frame.setAttribute("aria-label", "Frame of the face");
  frame.setAttribute("aria-describedby", how.id);
  for (const corner of CORNERS) {
    const handle = document.createElement("span");
    handle.className = `corner ${corner}`;
    handle.dataset.corner = corner;
    frame.append(handle);
  }
  canvas.append(frame);
  canvas.addEventListener("pointerdown", began);
  canvas.addEventListener("pointermove", dragged);
  canvas.addEventListener("pointerup", ended);
  canvas.addEventListener("pointercancel", ended);
  frame.addEventListener("keydown", pressed);
  stage.append(canvas);
  stage.classList.add("drawing");
  place();
  form.hidden = false;
  naming.hidden = fixing();
  form.elements.name.disabled = fixing();
  form.action = fixing() ? by.dataset.fix : form.dataset.draws;
  how.querySelector("[data-how]").textContent = fixing() ? WORDS.fix : WORDS.draw;
  if (fixing()) show(by.dataset.at.split(" ").map(Number));
  else show(first());
  stage.scrollIntoView({ block: "nearest" });
  frame.focus({ preventScroll: true });
}

/** Return the frame that drawing begins with: a square in the middle. */
function first() {
  const { width, height } = canvas.getBoundingClientRect();
  const side = FIRST * Math.min(width, height);
  const [x, y] = [side / width / 2, side / height / 2];
  return [0.5 - x, 0.5 - y, 0.5 + x, 0.5 + y];
}

function leave(back = true) {
  if (!canvas) return;
  canvas.remove();
  canvas = frame = box = drag = undefined;
  stage.classList.remove("drawing");
  form.hidden = true;
  form.elements.name.value = "";
  const from = opener;
  opener = undefined;
  if (!back) return;
  // A list that was drawn anew has another button for the same face.
  const again = from.isConnected ? from : document.querySelector(`[data-fix="${from.dataset.fix}"]`);
  const shown = again?.checkVisibility?.() === false ? again.closest("details")?.querySelector("summary") : again;
  (shown ?? document.querySelector("[data-draw]")).focus();
}

document.addEventListener("click", (event) => {
  const by = event.target.closest?.("[data-draw], [data-fix]");
  if (by) begin(by);
  else if (event.target.closest?.("[data-leave]")) leave();
});
// Before others hear of the key: what is drawn is given up, and nothing else is left.
document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || !canvas || document.querySelector(".options")) return;
    event.preventDefault();
    event.stopPropagation();
    leave();
  },
  true,
);
new ResizeObserver(() => canvas && place()).observe(stage);

// The form is sent from here, since it leads to one address or another.
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!box) return;
  const values = { box: form.elements.box.value, next: form.elements.next.value };
  if (!fixing()) values.name = form.elements.name.value;
  const changes = fixing() && opener.closest("[data-face]")?.dataset.face;
  htmx
    .ajax("POST", form.action, { source: form, swap: "none", values })
    .then(() => changes && afresh(changes));
});
document.addEventListener("htmx:afterRequest", ({ target, detail }) => {
  if (target === form && detail.successful) leave();
});

/** Show the crop of a face as it is now: its address is the same as before. */
async function afresh(uuid) {
  const picture = () => document.querySelector(`[data-face="${uuid}"] .crop img`);
  const address = picture()?.src;
  if (!address) return;
  await fetch(address, { cache: "reload" });
  const image = picture();
  if (image) image.src = `${address.split("#")[0]}#${Date.now()}`;
}
