import { type Html, html } from '#core/report/html.ts';
import { count } from '#core/report/numbers.ts';

/** The drawing, in units of its own; the page scales it to its width. */
const WIDTH = 480;
const HEIGHT = 280;
const LEFT = 52;
/** Room for half of the last number of an axis. */
const RIGHT = 18;
const TOP = 12;
const BOTTOM = 46;

/** A plot over `[from, to]` and `[0, top]`, all bars and lines of which are in the same units as the data. */
export interface Plot {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Where the horizontal axis has numbers. */
  readonly ticks: readonly number[];
}

/** Tenths suffice for a drawing, and keep the file small. */
const tenths = (value: number) => Math.round(value * 10) / 10;

export const x = ({ from, to }: Plot, value: number) =>
  tenths(LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT - RIGHT));
export const y = ({ top }: Plot, value: number) => tenths(HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM));

/** The least round number, four of which reach over `highest`; 1 for nothing. */
export function step(highest: number): number {
  if (!(highest > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(highest / 4));
  const factor = [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].find((candidate) => candidate * power * 4 >= highest) ?? 10;
  return factor * power;
}

/** A chart with axes, as an image whose title and description a screen reader speaks. */
export function chart(id: string, plot: Plot, title: string, description: string, marks: Html): Html {
  const each = plot.top / 4;
  const lines = [0, 1, 2, 3, 4].map(
    (
      index,
    ) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(plot, each * index)}" y2="${y(plot, each * index)}"/>
<text x="${LEFT - 6}" y="${y(plot, each * index) + 4}" text-anchor="end">${count(each * index)}</text>
`,
  );
  const ticks = plot.ticks.map(
    (tick) => html`<text x="${x(plot, tick)}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${tick}</text>
`,
  );
  const middle = (TOP + HEIGHT - BOTTOM) / 2;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}-title ${id}-description">
<title id="${id}-title">${title}</title><desc id="${id}-description">${description}</desc>
${lines}${ticks}${marks}<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(plot, 0)}" y2="${y(plot, 0)}"/>
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${plot.xLabel}</text>
<text transform="translate(12 ${middle}) rotate(-90)" text-anchor="middle">${plot.yLabel}</text>
</svg>`;
}

/** One bar per bin, from the axis up. */
export function bars(plot: Plot, edges: readonly number[], values: readonly number[]): readonly Html[] {
  return values.map((value, bin) => {
    const [left, right] = [x(plot, edges[bin] ?? plot.from), x(plot, edges[bin + 1] ?? plot.to)];
    const width = tenths(Math.max(right - left - 1, 0.5));
    return html`<rect class="bar" x="${left}" y="${y(plot, value)}" width="${width}" height="${tenths(y(plot, 0) - y(plot, value))}"/>
`;
  });
}

/** A line in steps, flat over each bin. */
export function steps(plot: Plot, edges: readonly number[], values: readonly number[]): Html {
  const points = values.flatMap((value, bin) => {
    const height = y(plot, value);
    return [`${x(plot, edges[bin] ?? plot.from)},${height}`, `${x(plot, edges[bin + 1] ?? plot.to)},${height}`];
  });
  return html`<polyline class="steps" points="${points.join(' ')}"/>
`;
}
