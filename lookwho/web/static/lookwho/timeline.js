// The timeline: as many photos as there are, of which only those near the view are in the page.
//
// The page brings how many photos each day has. They are cut into blocks of about a hundred; a
// block's height is estimated until its tiles are here, and what lies above the view is then
// corrected so that nothing in view moves. Without this script the page is a paged list.

import { laidOut, ratio, spaces, wished } from "./layout.js";
import { Scrubber } from "./scrubber.js";

const PHOTOS_IN_A_BLOCK = 120;
// How many blocks keep their tiles while they are out of the page, and how many are fetched at once.
const KEPT = 80;
const AT_ONCE = 4;
// Screens above and below the view that are in the page.
const AHEAD = 1.25;
// What is passed faster than this, in screens a frame, is not fetched.
const FAST = 0.6;
// The height of the name of a year.
const YEAR = 56;
const DAY = 86_400_000;

const root = document.querySelector("[data-timeline]");
const language = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const format = (options) => {
  const formatter = new Intl.DateTimeFormat(language, { timeZone: "UTC", ...options });
  return (day) => formatter.format(day * DAY);
};
const named = {
  long: format({ weekday: "long", day: "numeric", month: "long" }),
  short: format({ weekday: "short", day: "numeric", month: "short" }),
  shortest: format({ day: "numeric", month: "short" }),
  month: format({ month: "long", year: "numeric" }),
};
const iso = (day) => new Date(day * DAY).toISOString().slice(0, 10);
const number = (text) => Math.round(Date.parse(`${text}T00:00Z`) / DAY);
const yearOf = (day) => new Date(day * DAY).getUTCFullYear();
const monthOf = (day) => iso(day).slice(0, 7);

/** Cut days [[day, count]], newest first, into blocks that are fetched and laid out as one. */
export function cut(days, size = PHOTOS_IN_A_BLOCK) {
  const blocks = [];
  let open = null;
  let before = null;
  const add = (day, skip, take, all) => {
    if (!open) {
      const year = before === null || yearOf(before) !== yearOf(day) ? yearOf(day) : null;
      open = { days: [], count: 0, year };
      blocks.push(open);
    }
    open.days.push({ day, skip, take, begins: skip === 0, ends: skip + take === all });
    open.count += take;
    before = day;
  };
  for (const [day, count] of days) {
    const full = open && open.count + count > size;
    const apart = open && open.count >= size / 2 && monthOf(before) !== monthOf(day);
    if (full || apart || (before !== null && yearOf(before) !== yearOf(day))) open = null;
    for (let skip = 0; skip < count; skip += size) {
      if (skip) open = null;
      add(day, skip, Math.min(size, count - skip), count);
    }
    if (count > size) open = null;
  }
  return blocks;
}

class Timeline {
  constructor(element, days) {
    this.element = element;
    this.blocks = cut(days);
    this.total = days.reduce((sum, [, count]) => sum + count, 0);
    this.mounted = new Set();
    this.recent = []; // blocks whose tiles are here, the one used last at the end
    this.fetching = new Map();
    this.usual = 1.4;
    this.goal = null;
    this.lastY = window.scrollY;
    this.takeOver();
    this.scrubber = new Scrubber(
      this.months(),
      (month) => this.toMonth(month),
      (fraction) => this.to(fraction * (this.height + this.origin - window.innerHeight)),
    );
    this.measure();
    history.scrollRestoration = "manual";
    const back = this.wanted();
    if (back) this.show(back);
    this.update();

    addEventListener("scroll", () => this.scrolled(), { passive: true });
    addEventListener("pagehide", () => this.remember());
    for (const own of ["wheel", "touchstart", "pointerdown", "keydown"]) {
      addEventListener(own, () => this.free(), { passive: true });
    }
    new ResizeObserver(() => this.resized()).observe(element);
    addEventListener("resize", () => this.resized());
  }

  /** Somebody moves by themselves: no place is held any longer. */
  free() {
    this.goal = null;
    this.scrubber.led = false;
  }

  /** Take the tiles of the paged list, so that what is in view need not be fetched again. */
  takeOver() {
    const tiles = [...this.element.querySelectorAll(".tile")];
    if (tiles.length) {
      const sum = tiles.reduce((all, tile) => all + ratioOf(tile), 0);
      this.usual = sum / tiles.length;
    }
    // A page without a source of more has brought all its tiles.
    this.kept = this.element.dataset.tiles ? KEPT : Infinity;
    let at = 0;
    for (const block of this.blocks) {
      if (at + block.count > tiles.length) break;
      this.keep(block, tiles.slice(at, at + block.count));
      at += block.count;
    }
    this.element.replaceChildren();
    this.element.classList.add("live");
  }

  /** Months, newest first: where each begins. */
  months() {
    const months = [];
    this.blocks.forEach((block, index) => {
      block.days.forEach(({ day, begins }, place) => {
        if (!begins || months.at(-1)?.key === monthOf(day)) return;
        months.push({ key: monthOf(day), name: named.month(day), year: yearOf(day), index, place });
      });
    });
    return months;
  }

  measure() {
    this.width = Math.floor(this.element.getBoundingClientRect().width);
    this.space = spaces(this.width);
    this.bar = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--bar")) || 0;
    this.wish = wished(this.width);
    for (const block of this.blocks) this.layOut(block);
    this.stack();
  }

  /** Lay a block out: by its tiles where they are here, else as if all were of the usual ratio. */
  layOut(block) {
    const days = block.tiles ? byDay(block) : block.days.map((day) => this.guessed(day));
    block.laid = laidOut(days, this.width, this.wish, this.space);
    block.shown = days;
    // A year begins with some room above it, but not at the top of the page.
    block.headline = block.year === null ? 0 : YEAR + (block === this.blocks[0] ? 0 : this.space.under);
    block.height = block.laid.height + block.headline;
  }

  guessed(day) {
    return { ...day, ratios: Array.from({ length: day.take }, () => this.usual) };
  }

  /** Put the blocks below each other. */
  stack() {
    let top = 0;
    for (const block of this.blocks) {
      block.top = top;
      top += block.height;
      if (block.node) block.node.style.top = `${block.top}px`;
    }
    this.height = top;
    this.element.style.height = `${top}px`;
    this.origin = this.element.getBoundingClientRect().top + window.scrollY;
    this.scrubber?.place(
      this.scrubber.months.map(({ index, place }) => this.topOf(index, place) / (top || 1)),
    );
  }

  topOf(index, place) {
    const block = this.blocks[index];
    if (!place) return block.top;
    const head = block.laid.heads.find(({ day }) => day === place);
    return block.top + block.headline + (head?.y ?? 0);
  }

  at(y) {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].top <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  scrolled() {
    this.soon();
    this.scrubber.stir();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.update();
    });
    clearTimeout(this.pause);
    this.pause = setTimeout(() => {
      this.lastY = window.scrollY;
      this.update();
      this.remember();
    }, 120);
  }

  /** Bring into the page what is near the view, and out of it what is not. */
  update() {
    const top = window.scrollY - this.origin;
    const screen = window.innerHeight;
    const fast = Math.abs(window.scrollY - this.lastY) > screen * FAST;
    this.lastY = window.scrollY;
    const first = this.at(top - screen * AHEAD);
    const last = this.at(top + screen * (1 + AHEAD));
    for (const block of this.mounted) {
      const index = this.blocks.indexOf(block);
      const held = block.node.contains(document.activeElement);
      if ((index < first || index > last) && !held) this.unmount(block);
    }
    for (let index = first; index <= last; index += 1) this.mount(this.blocks[index], index);
    if (!fast) this.fetchNear(top + screen / 2, first, last);
    const here = this.at(top + screen * 0.3);
    const month = monthOf(this.blocks[here].days[0].day);
    this.scrubber.show(top / Math.max(this.height - screen, 1), this.monthAt(top + this.bar + 60, here, month));
  }

  monthAt(y, index, otherwise) {
    const block = this.blocks[index];
    const heads = block.laid.heads.filter((head) => block.top + block.headline + head.y <= y);
    const day = heads.length ? block.shown[heads.at(-1).day] : null;
    return day ? monthOf(day.day) : otherwise;
  }

  mount(block, index) {
    if (block.node) return;
    block.node = document.createElement("div");
    block.node.className = "block";
    block.node.dataset.index = index;
    this.fill(block);
    block.node.style.top = `${block.top}px`;
    const after = [...this.element.children].find((node) => +node.dataset.index > index);
    this.element.insertBefore(block.node, after ?? null);
    this.mounted.add(block);
  }

  unmount(block) {
    block.node.remove();
    block.node = null;
    this.mounted.delete(block);
  }

  fill(block) {
    const parts = [];
    if (block.year !== null) {
      const year = made("h2", "year", String(block.year));
      year.style.top = `${block.headline - YEAR}px`;
      parts.push(year);
    }
    const heads = new Map();
    const narrowest = new Map(); // days that share a row are told alike
    for (const head of block.laid.heads) {
      heads.set(head.day, head);
      narrowest.set(head.y, Math.min(head.w, narrowest.get(head.y) ?? head.w));
    }
    let at = 0;
    block.shown.forEach((day, place) => {
      const head = heads.get(place);
      if (head) parts.push(this.heading(head, narrowest.get(head.y), day, block.headline));
      day.ratios.forEach(() => {
        const box = block.laid.tiles[at];
        const tile = block.tiles ? block.tiles[at] : made("div", "tile blank");
        tile.style.left = `${box.x}px`;
        tile.style.top = `${box.y + block.headline}px`;
        tile.style.width = `${box.w}px`;
        tile.style.height = `${box.h}px`;
        parts.push(tile);
        at += 1;
      });
    });
    block.node.replaceChildren(...parts);
    block.node.toggleAttribute("aria-busy", !block.tiles);
  }

  heading(head, width, { day }, down) {
    const name = width > 230 ? named.long : width > 96 ? named.short : named.shortest;
    const heading = made("h3", "day", name(day));
    heading.title = named.long(day);
    heading.style.left = `${head.x}px`;
    heading.style.top = `${head.y + down}px`;
    heading.style.width = `${head.w}px`;
    return heading;
  }

  /** Fetch what has no tiles yet, the nearest to the middle of the view first. */
  fetchNear(middle, first, last) {
    for (const [block, abort] of this.fetching) {
      const index = this.blocks.indexOf(block);
      if (index < first || index > last) abort.abort();
    }
    if (!this.element.dataset.tiles) return;
    const missing = this.blocks.slice(first, last + 1).filter((block) => !block.tiles);
    const away = (block) => Math.abs(block.top + block.height / 2 - middle);
    missing.sort((a, b) => away(a) - away(b));
    for (const block of missing) {
      if (this.fetching.size >= AT_ONCE) break;
      if (!this.fetching.has(block) && !(block.again > Date.now())) this.fetch(block);
    }
  }

  async fetch(block) {
    const abort = new AbortController();
    this.fetching.set(block, abort);
    const newest = block.days[0];
    const query = new URLSearchParams(this.element.dataset.query);
    query.set("from", iso(block.days.at(-1).day));
    query.set("to", iso(newest.day));
    query.set("skip", newest.skip);
    query.set("take", block.count);
    try {
      const answer = await fetch(`${this.element.dataset.tiles}?${query}`, {
        signal: abort.signal,
        headers: { "X-Requested-With": "fetch" },
      });
      if (!answer.ok || answer.redirected) throw new Error(`answer ${answer.status}`);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const tiles = [...page.querySelectorAll(".tile")].map((tile) => document.adoptNode(tile));
      this.keep(block, tiles);
      this.corrected(block);
    } catch (error) {
      // The server may be away for a moment: once more in a while, as long as it is in view.
      if (error.name !== "AbortError") {
        block.again = Date.now() + 3000;
        setTimeout(() => this.soon(), 3100);
      }
    } finally {
      this.fetching.delete(block);
      this.soon();
    }
  }

  keep(block, tiles) {
    block.tiles = tiles;
    this.recent = this.recent.filter((other) => other !== block);
    this.recent.push(block);
    for (const old of [...this.recent]) {
      if (this.recent.length <= this.kept) break;
      if (old.node) continue;
      // Its height stays the true one: only the tiles are let go.
      old.tiles = null;
      this.recent.splice(this.recent.indexOf(old), 1);
    }
  }

  /** A block has its tiles: lay it out anew, and keep still what is in view. */
  corrected(block) {
    const before = block.height;
    const top = window.scrollY - this.origin;
    const inside = top - block.top;
    this.layOut(block);
    if (block.node) this.fill(block);
    this.stack();
    if (this.goal) {
      this.show(this.goal);
    } else if (inside > 0) {
      const above = Math.min(inside / before, 1);
      const moved = (block.height - before) * above;
      if (moved) window.scrollBy({ top: moved, behavior: "instant" });
    }
    this.lastY = window.scrollY;
  }

  resized() {
    const width = Math.floor(this.element.getBoundingClientRect().width);
    if (width === this.width || !width) {
      this.soon();
      return;
    }
    const place = this.place();
    this.measure();
    for (const block of this.mounted) this.fill(block);
    if (place) this.show(place);
    this.update();
  }

  toMonth({ index, place }) {
    const top = this.topOf(index, place);
    this.to(top ? this.origin + top - this.bar : 0);
  }

  to(y) {
    this.goal = null;
    window.scrollTo({ top: y, behavior: "instant" });
    this.soon();
  }

  /** The first photo in view: {day, index in its day, top in the window}. */
  place() {
    const top = window.scrollY - this.origin;
    if (top < 0) return null;
    const block = this.blocks[this.at(top)];
    let at = 0;
    for (const day of block.shown) {
      for (let index = 0; index < day.ratios.length; index += 1, at += 1) {
        const box = block.laid.tiles[at];
        const y = block.top + block.headline + box.y;
        if (y + box.h > top + this.bar) {
          return { day: iso(day.day), index: (day.skip ?? 0) + index, top: y - top };
        }
      }
    }
    return null;
  }

  remember() {
    history.replaceState({ ...history.state, place: this.place() }, "");
  }

  /** Where to begin: at the photo that the address names, or where this page was left. */
  wanted() {
    const told = /^#(\d{4}-\d\d-\d\d)\/(\d+)$/.exec(location.hash);
    if (told) {
      history.replaceState(history.state, "", location.pathname + location.search);
      return { day: told[1], index: +told[2], focus: true };
    }
    return history.state?.place ?? null;
  }

  /** Scroll to a photo; again, once its block has its tiles. */
  show(goal) {
    const day = number(goal.day);
    const index = this.blocks.findIndex((block) =>
      block.days.some((one) => one.day === day && goal.index < one.skip + one.take),
    );
    if (index < 0) return;
    const block = this.blocks[index];
    let at = 0;
    for (const one of block.shown) {
      const inside = goal.index - (one.skip ?? 0);
      if (one.day === day && inside < one.ratios.length) {
        at += inside;
        break;
      }
      at += one.ratios.length;
    }
    const box = block.laid.tiles[Math.min(at, block.laid.tiles.length - 1)];
    const top = goal.top ?? (window.innerHeight - box.h) / 2;
    const y = this.origin + block.top + block.headline + box.y - top;
    window.scrollTo({ top: y, behavior: "instant" });
    this.goal = goal;
    if (goal.focus && block.tiles) {
      this.mount(block, index);
      block.tiles[at]?.focus({ preventScroll: true });
      goal.focus = false;
    }
  }
}

function byDay(block) {
  const days = [];
  for (const tile of block.tiles) {
    const day = number(tile.dataset.day);
    if (days.at(-1)?.day !== day) {
      const told = block.days.find((one) => one.day === day);
      days.push({ begins: true, ends: true, skip: 0, ...told, day, ratios: [] });
    }
    days.at(-1).ratios.push(ratioOf(tile));
  }
  return days;
}

function ratioOf(tile) {
  return ratio(+tile.dataset.w, +tile.dataset.h);
}

function made(name, kind, text = "") {
  const node = document.createElement(name);
  node.className = kind;
  node.textContent = text;
  return node;
}

/** Days as the page tells them: the newest, its count, then how many days earlier, its count, … */
function told(numbers) {
  const days = [];
  let day = 0;
  for (let at = 0; at < numbers.length; at += 2) {
    day = at ? day - numbers[at] : numbers[at];
    days.push([day, numbers[at + 1]]);
  }
  return days;
}

if (root) {
  const days = told(JSON.parse(document.getElementById(root.dataset.timeline).textContent));
  if (days.length) root.timeline = new Timeline(root, days);
}
