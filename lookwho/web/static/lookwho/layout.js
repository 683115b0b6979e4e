// Where the tiles of a justified grid stand: numbers in, numbers out, no page.
//
// A tile is known by its ratio, width / height. Rows are as wide as there is room and about as
// high as is wished; all positions are whole pixels, so that rows end in one line.

const UNKNOWN = 4 / 3;

// Beyond these a photo is shown in part: else a panorama would be a thread.
const NARROWEST = 0.5;
const WIDEST = 3.2;

// How much higher than wished a row may become by being stretched to the full width: where more
// rows follow, and where it is the last.
const TALLEST = 1.45;
const TALLEST_AT_THE_END = 1.12;

// A day that fills less of a row than this shares the row with its neighbours.
const SHARES = 0.72;

export function ratio(width, height) {
  return width && height ? Math.min(Math.max(width / height, NARROWEST), WIDEST) : UNKNOWN;
}

/** How high rows are wished to be, for a width in pixels. */
export function wished(width) {
  return Math.round(Math.min(Math.max(92 + width * 0.085, 112), 232));
}

/** The spaces around tiles and days, for a width in pixels. */
export function spaces(width) {
  return width < 700
    ? { tile: 3, day: 12, head: 34, under: 14 }
    : { tile: 4, day: 20, head: 40, under: 24 };
}

const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

/**
 * Lay one row and return how high it is.
 *
 * @param tiles the boxes laid so far; those of the row are added
 * @param gaps the space after each tile; the last is not used
 * @param tallest how much higher than `height` the row may be: if it had to be more to reach the
 *   full width, it stays `height` high and ends before
 */
function row(tiles, ratios, gaps, y, width, height, tallest) {
  const inner = gaps.slice(0, -1);
  const sum = total(ratios);
  const natural = (width - total(inner)) / sum;
  const exact = natural <= height * tallest ? natural : height;
  const h = Math.round(exact);
  let x = 0;
  let passed = 0;
  let between = 0;
  ratios.forEach((one, index) => {
    passed += one;
    const right = Math.round(exact * passed + between);
    tiles.push({ x, y, w: right - x, h });
    between += gaps[index];
    x = right + gaps[index];
  });
  return h;
}

/** Where rows end: after how many tiles each, so that each is about as high as is wished. */
function breaks(ratios, width, height, gap) {
  const ends = [];
  let start = 0;
  let sum = 0;
  ratios.forEach((one, index) => {
    const count = index - start;
    const high = (width - gap * count) / (sum + one);
    if (high > height) {
      sum += one;
      return;
    }
    // With this tile the row is lower than wished, without it higher: the nearer one is taken.
    const without = count ? (width - gap * (count - 1)) / sum : Infinity;
    const over = without / height < height / high;
    ends.push(over ? index : index + 1);
    start = ends.at(-1);
    sum = over ? one : 0;
  });
  return { ends, left: sum };
}

/**
 * Lay tiles in rows.
 *
 * @param ratios of the tiles, in order
 * @param goesOn whether more tiles follow elsewhere, so that the last row must be full, too
 * @returns {{tiles: {x, y, w, h}[], height: number}}
 */
export function rows(ratios, width, height, gap, goesOn = false) {
  const { ends, left } = breaks(ratios, width, height, gap);
  if ((ends.at(-1) ?? 0) < ratios.length) {
    const count = ratios.length - (ends.at(-1) ?? 0);
    const high = (width - gap * (count - 1)) / left;
    if (goesOn && high > height * TALLEST) ends.pop(); // its tiles join the row above
    ends.push(ratios.length);
  }
  const tiles = [];
  let y = 0;
  let start = 0;
  for (const end of ends) {
    const line = ratios.slice(start, end);
    const last = end === ratios.length && !goesOn;
    const tallest = last ? TALLEST_AT_THE_END : Infinity;
    y += row(tiles, line, line.map(() => gap), y, width, height, tallest) + gap;
    start = end;
  }
  return { tiles, height: Math.max(y - gap, 0) };
}

/**
 * Lay days below each other, and days of a few photos side by side.
 *
 * @param days [{ratios, begins, ends}]: whether the day's first photo is the first of `ratios`, and
 *   its last the last; otherwise the others are laid out elsewhere
 * @returns {{tiles: {x, y, w, h}[], heads: {x, y, w, day}[], height: number}} `day` counts `days`
 */
export function laidOut(days, width, height, space) {
  const tiles = [];
  const heads = [];
  let y = 0;
  let band = []; // numbers of days that will share a row
  let taken = 0;

  function closeBand(tallest) {
    if (!band.length) return;
    const ratios = band.flatMap((number) => days[number].ratios);
    const gaps = band.flatMap((number) =>
      days[number].ratios.map((_, index, all) =>
        index + 1 < all.length ? space.tile : space.day,
      ),
    );
    const first = tiles.length;
    const high = row(tiles, ratios, gaps, y + space.head, width, height, tallest);
    let at = first;
    for (const number of band) {
      const x = tiles[at].x;
      at += days[number].ratios.length;
      const end = at < tiles.length ? tiles[at].x - space.day : width;
      heads.push({ x, y, w: end - x, day: number });
    }
    y += space.head + high + space.under;
    band = [];
    taken = 0;
  }

  days.forEach(({ ratios, begins, ends }, number) => {
    const wide = total(ratios) * height + space.tile * (ratios.length - 1);
    const alone = !begins || !ends || wide > width * SHARES;
    if (alone) closeBand(TALLEST_AT_THE_END);
    else if (band.length && taken + space.day + wide > width * 1.08) closeBand(TALLEST);
    if (!alone) {
      taken += wide + (band.length ? space.day : 0);
      band.push(number);
      return;
    }
    if (begins) {
      heads.push({ x: 0, y, w: width, day: number });
      y += space.head;
    }
    const laid = rows(ratios, width, height, space.tile, !ends);
    for (const tile of laid.tiles) tiles.push({ ...tile, y: tile.y + y });
    y += laid.height + (ends ? space.under : space.tile);
  });
  closeBand(TALLEST_AT_THE_END);
  return { tiles, heads, height: y };
}
