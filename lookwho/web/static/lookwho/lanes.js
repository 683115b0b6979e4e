// The lanes under a video: where each person appears, moved through by pointer and by keys; what is
// said of a person opens below their lane; and of several people the moments that show them all.
//
// The page says of each appearance when it is; where it lies is set here, as properties of styles.

const around = document.querySelector("[data-stretches]");
const told = document.querySelector("[data-told]");
const MOST = 64; // how often the time line is as wide as the window
const NEAR = 0.05;

const all = (selector, root = around) => [...root.querySelectorAll(selector)];
const clock = (time) => {
  const [minutes, seconds] = [Math.floor(time / 60), Math.floor(time) % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${pad(seconds)}` : `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(seconds)}`;
};

export function lanes({ now, length, jump }) {
  let scale = 1;
  let cuts = new Set();
  let times = []; // of each lane: its element, name and blocks
  let moved = 0; // when somebody last moved the time line themselves
  let open = null; // the face whose answers are shown
  let chosen = new Set();

  const laneOf = (face) => around.querySelector(`[data-lane="${CSS.escape(face)}"]`);
  const nameOf = (lane) => lane.dataset.name || told.dataset.somebody;

  // ---- where things lie ----

  function lay() {
    times = all("[data-lane]").map((lane) => {
      const blocks = all(".block", lane).map((element) => {
        const [start, end] = [Number(element.dataset.start), Number(element.dataset.end)];
        element.style.setProperty("--from", length ? start / length : 0);
        element.style.setProperty("--to", length ? Math.min(end / length, 1) : 0);
        return { element, start, end };
      });
      // One stop of the Tab key in each lane; arrows lead on from there.
      blocks.forEach(({ element }, at) => (element.tabIndex = at ? -1 : 0));
      return { lane, name: nameOf(lane), blocks };
    });
    for (const inner of all(".band .inner")) {
      if (inner.querySelector(":scope > .pointer")) continue;
      const pointer = document.createElement(inner.tagName === "OL" ? "li" : "i");
      pointer.className = "pointer";
      pointer.setAttribute("aria-hidden", "true");
      inner.append(pointer);
    }
    for (const lane of all("[data-lane]")) {
      const face = lane.dataset.lane;
      lane.classList.toggle("open", face === open);
      lane.querySelector("button.opens")?.setAttribute("aria-expanded", String(face === open));
      const box = lane.querySelector("[data-together]");
      if (box) box.checked = chosen.has(face);
    }
    rule();
    meet();
    at(now());
  }

  /** Draw the ruler: as many times as there is room for. */
  function rule() {
    const ruler = around.querySelector("[data-ruler]");
    if (!ruler || !length) return;
    const room = Math.max(ruler.clientWidth / 84, 1);
    const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
    const step = steps.find((each) => length / each <= room) ?? 14400;
    for (const old of all(".tick, .cut", ruler)) old.remove();
    for (let time = 0; time < length; time += step) ruler.append(mark("tick", time, clock(time)));
    for (const time of cuts) ruler.append(mark("cut", time, ""));
  }

  function mark(look, time, text) {
    const element = document.createElement("span");
    element.className = look;
    element.textContent = text;
    element.style.left = `${(100 * time) / length}%`;
    return element;
  }

  function zoom(way) {
    const before = scale;
    scale = Math.max(1, Math.min(scale * (way > 0 ? 2 : 0.5), MOST));
    if (scale === before) return;
    around.style.setProperty("--zoom", scale);
    rule();
    moved = 0;
    keepInView(now());
  }

  // ---- the present moment ----

  function at(time) {
    around.style.setProperty("--now", length ? Math.min(time / length, 1) : 0);
    for (const { lane, blocks } of times) {
      let here = false;
      for (const { element, start, end } of blocks) {
        const is = time >= start - NEAR && time <= end + NEAR;
        if (is !== element.classList.contains("now")) element.classList.toggle("now", is);
        here ||= is;
      }
      if (here !== lane.classList.contains("here")) lane.classList.toggle("here", here);
    }
    keepInView(time);
  }

  function keepInView(time) {
    const [band] = all("[data-band]");
    if (scale === 1 || !band || !length || Date.now() - moved < 3000) return;
    const place = (time / length) * band.scrollWidth;
    if (place > band.scrollLeft + 12 && place < band.scrollLeft + band.clientWidth - 12) return;
    together(Math.max(0, place - band.clientWidth * 0.2));
  }

  // All lanes show the same stretch of time.
  let leader = null;
  function together(left, from = null) {
    leader = from;
    for (const band of all("[data-band]")) if (band !== from && Math.abs(band.scrollLeft - left) >= 1) band.scrollLeft = left;
  }
  around.addEventListener("scroll", (event) => {
    const band = event.target.closest?.("[data-band]");
    if (band && (!leader || leader === band)) together(band.scrollLeft, band);
  }, true);
  for (const name of ["pointerdown", "wheel", "touchstart"]) {
    around.addEventListener(name, (event) => {
      const band = event.target.closest("[data-band]");
      if (!band) return;
      leader = band;
      moved = Date.now();
    }, { passive: true });
  }
  around.addEventListener("scrollend", () => (leader = null), true);

  // ---- opening, jumping, choosing ----

  function show(face, { focus = true } = {}) {
    open = face;
    for (const { lane } of times) {
      const is = lane.dataset.lane === face;
      lane.classList.toggle("open", is);
      lane.querySelector("button.opens")?.setAttribute("aria-expanded", String(is));
    }
    const lane = face && laneOf(face);
    if (!lane) return;
    if (focus) (lane.querySelector(".answering [data-names]") ?? lane.querySelector(".opens"))?.focus({ preventScroll: true });
    lane.scrollIntoView({ block: "nearest" });
    at(now());
  }

  function close() {
    if (!open) return false;
    const button = laneOf(open)?.querySelector("button.opens");
    show(null);
    button?.focus();
    return true;
  }

  around.addEventListener("click", (event) => {
    const block = event.target.closest(".block, [data-jump]");
    if (block) {
      const lane = block.closest("[data-lane]");
      // A frame into it, so that the face shows and not what was before.
      const time = "jump" in block.dataset ? Number(block.dataset.jump) : Number(block.dataset.start) + 0.01;
      return void jump(time, lane ? nameOf(lane) : "");
    }
    const opens = event.target.closest("button.opens");
    if (opens) {
      const face = opens.closest("[data-lane]").dataset.lane;
      return void show(face === open ? null : face);
    }
    const zooms = event.target.closest("[data-zoom]");
    if (zooms) return void zoom(Number(zooms.dataset.zoom));
    if (event.target.closest("[data-both-none]")) {
      chosen.clear();
      return void lay();
    }
    const band = event.target.closest(".band .inner");
    if (band && length) {
      const box = band.getBoundingClientRect();
      jump(((event.clientX - box.left) / box.width) * length, "");
    }
  });

  around.addEventListener("change", (event) => {
    if (!event.target.matches("[data-together]")) return;
    const face = event.target.closest("[data-lane]").dataset.lane;
    if (event.target.checked) chosen.add(face);
    else chosen.delete(face);
    meet();
  });

  // ---- several people ----

  const common = (one, other) =>
    one.flatMap((a) =>
      other
        .map((b) => ({ start: Math.max(a.start, b.start), end: Math.min(a.end, b.end) }))
        .filter(({ start, end }) => end - start > NEAR),
    );

  function meet() {
    const bar = around.querySelector("[data-both]");
    if (!bar) return;
    const who = times.filter(({ lane }) => chosen.has(lane.dataset.lane));
    bar.classList.toggle("shown", who.length > 1);
    if (who.length < 2) return;
    const moments = who.map(({ blocks }) => blocks).reduce(common);
    const words = told.dataset;
    const names = who.map(({ name }) => name);
    const listed = `${names.slice(0, -1).join(", ")} ${words.and} ${names.at(-1)}`;
    const many = who.length > 2 ? words.momentsAll : words.moments;
    const count = moments.length === 1 && who.length === 2 ? words.momentsOne : many.replace("{n}", moments.length);
    bar.querySelector("[data-both-words]").textContent = `${listed}: ${moments.length ? count : words.momentsNone}`;
    told.textContent = bar.querySelector("[data-both-words]").textContent;
    bar.querySelector("[data-both-moments]").replaceChildren(
      ...moments.map(({ start, end }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.jump = start + 0.01;
        button.textContent = `${clock(start)}–${clock(end)}`;
        return button;
      }),
    );
    const people = who.map(({ lane }) => lane.dataset.person);
    const link = bar.querySelector("[data-both-all]");
    link.hidden = !people.every(Boolean);
    link.search = new URLSearchParams(people.filter(Boolean).map((person) => ["person", person])).toString();
  }

  // ---- keys within a lane ----

  function key(event) {
    const block = event.target.closest?.(".block");
    if (!block || !around.contains(block)) return false;
    const row = times.findIndex(({ blocks }) => blocks.some(({ element }) => element === block));
    const { blocks } = times[row];
    const place = blocks.findIndex(({ element }) => element === block);
    const nearest = (lane) => {
      const wanted = blocks[place].start;
      return lane?.blocks.reduce((best, each) => (Math.abs(each.start - wanted) < Math.abs(best.start - wanted) ? each : best), lane.blocks[0]);
    };
    const beyond = (way) => {
      for (let at = row + way; times[at]; at += way) if (times[at].blocks.length) return nearest(times[at]);
      return null;
    };
    const goals = {
      ArrowLeft: () => blocks[place - 1],
      ArrowRight: () => blocks[place + 1],
      Home: () => blocks[0],
      End: () => blocks.at(-1),
      ArrowUp: () => beyond(-1),
      ArrowDown: () => beyond(1),
    };
    if (!(event.key in goals)) return false;
    event.preventDefault();
    const next = goals[event.key]();
    if (!next) return true;
    const lane = times.find((each) => each.blocks.includes(next));
    for (const { element } of lane.blocks) element.tabIndex = element === next.element ? 0 : -1;
    moved = Date.now();
    next.element.focus();
    return true;
  }

  // ---- after an answer the lanes are drawn anew ----

  let said = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const lane = event.target.closest?.("[data-lane]");
    if (lane) said = times.findIndex((each) => each.lane === lane);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "lanes") return;
    if (open && !laneOf(open)) open = null;
    const answered = said;
    said = null;
    if (answered !== null) open = null;
    lay();
    if (answered === null) return;
    // On to the next one whom nobody has named.
    const order = [...times.slice(answered + 1), ...times.slice(0, answered + 1)];
    const next = order.find(({ lane }) => lane.matches(".unnamed"));
    const other = times[Math.min(answered, times.length - 1)];
    if (next) show(next.lane.dataset.lane);
    else other?.lane.querySelector(".opens")?.focus();
  });
  new ResizeObserver(rule).observe(around);
  lay();

  return {
    at,
    zoom,
    close,
    key,
    open: show,
    count: () => times.length,
    isOpen: (face) => face === open,
    nameOf: (face) => laneOf(face)?.dataset.name ?? "",
    cut: (found) => {
      if (found.length === cuts.size) return;
      cuts = new Set(found);
      rule();
    },
    appearances: () =>
      times
        .filter(({ lane }) => !open || lane.dataset.lane === open)
        .flatMap(({ name, blocks }) => blocks.map(({ start, end }) => ({ name, start, end })))
        .sort((a, b) => a.start - b.start),
  };
}
