// The scrubber: a slider at the right edge that leads to any month, by pointer, touch or keys.

// Labels of years that would be nearer to each other than this many pixels are left out.
const APART = 26;

export class Scrubber {
  /**
   * @param months [{key, name, year}], the newest first
   * @param toMonth called with a month to show
   * @param toFraction called with how far down the view is to be, 0 to 1
   */
  constructor(months, toMonth, toFraction) {
    this.months = months;
    this.toMonth = toMonth;
    this.toFraction = toFraction;
    this.at = 0;
    this.led = false;
    this.element = document.createElement("div");
    this.element.className = "scrubber";
    this.element.tabIndex = 0;
    const said = {
      role: "slider",
      "aria-label": "Month",
      "aria-orientation": "vertical",
      "aria-valuemin": "0",
      "aria-valuemax": String(months.length - 1),
    };
    for (const [name, value] of Object.entries(said)) this.element.setAttribute(name, value);
    this.thumb = document.createElement("span");
    this.thumb.className = "thumb";
    this.bubble = document.createElement("span");
    this.bubble.className = "bubble";
    this.thumb.append(this.bubble);
    this.element.append(this.thumb);
    if (months.length > 1) document.body.append(this.element);

    this.element.addEventListener("pointerdown", (event) => this.grab(event));
    this.element.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(end, () => this.element.classList.remove("held"));
    }
    this.element.addEventListener("keydown", (event) => this.press(event));
  }

  /** Say where each month begins, as a fraction of the whole. */
  place(fractions) {
    this.fractions = fractions;
    for (const label of this.element.querySelectorAll(".label")) label.remove();
    const height = this.element.clientHeight;
    let below = -Infinity;
    this.months.forEach(({ year }, index) => {
      if (index && this.months[index - 1].year === year) return;
      const y = fractions[index] * height;
      if (y < below + APART || y > height - APART / 2) return;
      below = y;
      const label = document.createElement("span");
      label.className = "label";
      label.setAttribute("aria-hidden", "true");
      label.textContent = year;
      label.style.top = `${y}px`;
      this.element.append(label);
    });
  }

  /** Show where the view is: a fraction of the whole, and its month. */
  show(fraction, key) {
    const index = this.months.findIndex((month) => month.key === key);
    // A month near the end that was asked for may not reach the top of the view.
    if (index >= 0 && !this.led) this.at = index;
    const month = this.months[this.at];
    if (!month) return;
    if (!this.element.classList.contains("held")) this.move(fraction);
    this.tell(month);
  }

  /** The view moves: show for a while where it is. */
  stir() {
    this.element.classList.add("moving");
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.element.classList.remove("moving"), 1400);
  }

  tell(month) {
    this.bubble.textContent = month.name;
    this.element.setAttribute("aria-valuenow", String(this.at));
    this.element.setAttribute("aria-valuetext", month.name);
  }

  move(fraction) {
    const inside = Math.min(Math.max(fraction, 0), 1);
    this.thumb.style.top = `${inside * 100}%`;
  }

  grab(event) {
    if (event.button) return;
    event.preventDefault();
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.element.classList.add("held");
    this.drag(event);
  }

  drag(event) {
    if (!this.element.classList.contains("held")) return;
    const box = this.element.getBoundingClientRect();
    const fraction = Math.min(Math.max((event.clientY - box.top) / box.height, 0), 1);
    this.move(fraction);
    this.toFraction(fraction);
  }

  press(event) {
    const { key } = event;
    const year = this.months[this.at].year;
    const next = {
      ArrowDown: () => this.at + 1,
      ArrowRight: () => this.at + 1,
      ArrowUp: () => this.at - 1,
      ArrowLeft: () => this.at - 1,
      PageDown: () => this.months.findIndex((month) => month.year < year),
      PageUp: () => {
        const before = this.months.findLast((month) => month.year > year);
        return before ? this.months.findIndex((month) => month.year === before.year) : 0;
      },
      Home: () => 0,
      End: () => this.months.length - 1,
    }[key]?.();
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const last = this.months.length - 1;
    this.lead(next < 0 && key === "PageDown" ? last : Math.min(Math.max(next, 0), last));
  }

  lead(index) {
    this.led = true;
    this.at = index;
    this.tell(this.months[index]);
    this.toMonth(this.months[index]);
  }
}
