import { type Html, html } from '#core/report/html.ts';
import { decimal, figure } from '#core/report/numbers.ts';

export interface HeatCell {
  /** Bin numbers; the bin n covers n to n + 1 widths. */
  readonly x: number;
  readonly y: number;
  readonly value: number;
}

export interface HeatMap {
  readonly id: string;
  readonly title: string;
  readonly cells: readonly HeatCell[];
  readonly xWidth: number;
  readonly yWidth: number;
  readonly xLabel: string;
  readonly yLabel: string;
  /** The sky is drawn as it is seen: right ascension grows to the left. */
  readonly mirrored?: boolean;
  /** How cells that fall together in a coarser drawing are combined. */
  readonly combine: 'sum' | 'mean';
  /** `square-root`: counts over orders of magnitude. `linear`: from the least to the greatest value. */
  readonly scale: 'square-root' | 'linear';
  readonly unit: string;
}

const WIDTH = 480;
const HEIGHT = 300;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 10, 10, 46];
/** More cells than this in a row are drawn together. */
const MOST_CELLS = 120;

/** Counts or means over two axes, the stronger the colour the more: darker on light paper, lighter on dark paper. */
export function heatMap(map: HeatMap): Html {
  if (map.cells.length === 0) return html`<figure><h3>${map.title}</h3><p class="missing">nothing to show</p></figure>`;
  const cells = coarsened(map);
  const [xs, ys] = [extent(cells.list.map(({ x }) => x)), extent(cells.list.map(({ y }) => y))];
  const values = extent(cells.list.map(({ value }) => value));
  const [dx, dy] = [(WIDTH - LEFT - RIGHT) / (xs.to - xs.from + 1), (HEIGHT - TOP - BOTTOM) / (ys.to - ys.from + 1)];
  const tenths = (value: number) => Math.round(value * 10) / 10;
  const place = (x: number) => (map.mirrored ? xs.to - x : x - xs.from);
  const marks = cells.list.map(
    ({ x, y, value }) =>
      html`<rect x="${tenths(LEFT + place(x) * dx)}" y="${tenths(TOP + (ys.to - y) * dy)}" width="${tenths(dx + 0.1)}" height="${tenths(dy + 0.1)}" fill-opacity="${strength(value, values, map.scale)}"/>`,
  );
  const number = (bin: number, width: number) => decimal(bin * width * cells.factor, 1);
  const [low, high] = [number(xs.from, map.xWidth), number(xs.to + 1, map.xWidth)];
  const whole = cells.list.every(({ value }) => Number.isInteger(value));
  const [least, most] = [values.from, values.to].map((value) => figure(value, whole ? 0 : 2));
  const range = `from ${least} to ${most} ${map.unit}`;
  const description = `${map.xLabel} ${low} to ${high}, ${map.yLabel} ${number(ys.from, map.yWidth)} to ${number(ys.to + 1, map.yWidth)}; ${range}.`;
  return html`<figure>
<h3>${map.title}</h3>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${map.id}-title ${map.id}-description">
<title id="${map.id}-title">${map.title}</title><desc id="${map.id}-description">${description}</desc>
<g class="heat">${marks}</g>
<text x="${LEFT}" y="${HEIGHT - 26}">${map.mirrored ? high : low}</text>
<text x="${WIDTH - RIGHT}" y="${HEIGHT - 26}" text-anchor="end">${map.mirrored ? low : high}</text>
<text x="${LEFT - 6}" y="${TOP + 10}" text-anchor="end">${number(ys.to + 1, map.yWidth)}</text>
<text x="${LEFT - 6}" y="${HEIGHT - BOTTOM}" text-anchor="end">${number(ys.from, map.yWidth)}</text>
<text x="${(LEFT + WIDTH) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${map.xLabel}</text>
<text transform="translate(12 ${HEIGHT / 2 - 20}) rotate(-90)" text-anchor="middle">${map.yLabel}</text>
</svg>
<figcaption>The stronger the colour, the more: ${range}.</figcaption>
</figure>`;
}

/** Cells drawn together until a row has few enough. */
function coarsened({ cells, combine }: HeatMap): { readonly list: readonly HeatCell[]; readonly factor: number } {
  const spread = (values: readonly number[]) => {
    const { from, to } = extent(values);
    return to - from + 1;
  };
  const widest = Math.max(spread(cells.map(({ x }) => x)), spread(cells.map(({ y }) => y)));
  const factor = Math.ceil(widest / MOST_CELLS);
  const merged = new Map<string, { x: number; y: number; sum: number; count: number }>();
  for (const cell of cells) {
    const [x, y] = [Math.floor(cell.x / factor), Math.floor(cell.y / factor)];
    const found = merged.get(`${x},${y}`) ?? { x, y, sum: 0, count: 0 };
    found.sum += cell.value;
    found.count += 1;
    merged.set(`${x},${y}`, found);
  }
  const list = [...merged.values()].map(({ x, y, sum, count }) => ({
    x,
    y,
    value: combine === 'sum' ? sum : sum / count,
  }));
  return { list, factor };
}

/** 0.08, so that a cell with anything in it can be seen, to 1. */
function strength(value: number, { from, to }: { from: number; to: number }, scale: HeatMap['scale']): number {
  const share = scale === 'linear' ? (value - from) / (to - from || 1) : Math.sqrt(value / (to || 1));
  return Math.round((0.08 + 0.92 * share) * 100) / 100;
}

/** By a loop: a survey's cells are more than a call takes arguments. */
function extent(values: readonly number[]): { readonly from: number; readonly to: number } {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    from = Math.min(from, value);
    to = Math.max(to, value);
  }
  return { from, to };
}
