// Justified grids: <div class="grid" data-justified><a class="tile" data-w data-h><img></a>…</div>
//
// Tiles stay where the page put them, in their order; only their sizes are set, so that a grid can
// grow by what htmx adds to it. Without this script the grid is a plain one (grid.css).

import { ratio, rows, spaces, wished } from "./layout.js";

const laid = new WeakMap();

function lay(grid) {
  const width = Math.floor(grid.getBoundingClientRect().width);
  const tiles = [...grid.children].filter((child) => child.matches(".tile"));
  if (!width || !tiles.length) return;
  const gap = spaces(width).tile;
  const ratios = tiles.map((tile) => ratio(+tile.dataset.w, +tile.dataset.h));
  const found = rows(ratios, width, wished(width), gap);
  grid.style.gap = `${gap}px`;
  found.tiles.forEach((box, index) => {
    tiles[index].style.width = `${box.w}px`;
    tiles[index].style.height = `${box.h}px`;
  });
  grid.dataset.justified = "done";
  laid.set(grid, width);
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) if (laid.get(target) !== Math.floor(target.getBoundingClientRect().width)) lay(target);
});
const contents = new MutationObserver((changes) => {
  new Set(changes.map((change) => change.target)).forEach(lay);
});

function begin(root) {
  for (const grid of root.querySelectorAll("[data-justified]")) {
    if (laid.has(grid)) continue;
    lay(grid);
    sizes.observe(grid);
    contents.observe(grid, { childList: true });
  }
}

/** The tile next to this one in a direction, by where they stand. */
export function beside(tile, key) {
  const all = [...document.querySelectorAll(".tile[href]")];
  const at = all.indexOf(tile);
  if (key === "ArrowLeft") return all[at - 1];
  if (key === "ArrowRight") return all[at + 1];
  const here = tile.getBoundingClientRect();
  const middle = here.left + here.width / 2;
  const down = key === "ArrowDown";
  const others = down ? all.slice(at + 1) : all.slice(0, at).reverse();
  let best;
  let row;
  for (const other of others) {
    const box = other.getBoundingClientRect();
    if (Math.abs(box.top - here.top) < 2) continue;
    if (row !== undefined && Math.abs(box.top - row) > 2) break;
    row = box.top;
    const off = Math.abs(box.left + box.width / 2 - middle);
    if (!best || off < best.off) best = { other, off };
  }
  return best?.other;
}

document.addEventListener("keydown", (event) => {
  if (!/^Arrow(Left|Right|Up|Down)$/.test(event.key)) return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const tile = event.target.closest?.(".tile[href]");
  const next = tile && beside(tile, event.key);
  if (!next) return;
  event.preventDefault();
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
});

// A picture that cannot be had: the tile says what it would show.
document.addEventListener(
  "error",
  (event) => {
    if (event.target.matches?.(".tile img")) event.target.closest(".tile").classList.add("missing");
  },
  true,
);
for (const image of document.querySelectorAll(".tile img")) {
  if (image.complete && !image.naturalWidth && image.loading !== "lazy") {
    image.closest(".tile").classList.add("missing");
  }
}

begin(document);
document.addEventListener("htmx:load", () => begin(document));
