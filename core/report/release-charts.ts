import { BIN } from '#core/chunk-summary.ts';
import type { Band } from '#core/profile.ts';
import { bars, chart, type Plot, step } from '#core/report/chart-axes.ts';
import { type HeatCell, heatMap } from '#core/report/heat-map.ts';
import { type Html, html } from '#core/report/html.ts';
import { count } from '#core/report/numbers.ts';
import { DEPTH_BAND, type MergedBand, type ReleaseSummary } from '#core/report/release-summary.ts';

export function magnitudeChart(band: Band, { magnitudes, detected }: MergedBand): Html {
  const bins = trimmed(magnitudes, detected);
  const [first, last] = [bins[0], bins.at(-1)];
  if (first === undefined || last === undefined) return html``;
  const values = Array.from({ length: last - first + 1 }, (_, index) => magnitudes[String(first + index)] ?? 0);
  const edges = Array.from({ length: values.length + 1 }, (_, index) => (first + index) * BIN.magnitude);
  const [from, to] = [first * BIN.magnitude, (last + 1) * BIN.magnitude];
  const plot: Plot = {
    from,
    to,
    top: step(Math.max(...values)) * 4,
    xLabel: `${band} (AB mag)`,
    yLabel: 'objects',
    ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => Number((from + (to - from) * share).toFixed(1))),
  };
  const shown = values.reduce((sum, each) => sum + each, 0);
  const description = `Histogram of ${count(shown)} magnitudes in bins of ${BIN.magnitude} mag, from ${from} to ${to}.`;
  const beyond = detected - shown;
  return html`<figure>
<h3>Magnitudes in ${band}</h3>
${chart(`magnitudes-${band}`, plot, `Magnitudes in ${band}`, description, html`${bars(plot, edges, values)}`)}
${beyond > 0 ? html`<figcaption>${count(beyond)} objects are beyond the ends.</figcaption>` : null}
</figure>`;
}

/** Bins in order, without the ends that hold less than a thousandth: one odd object must not flatten all others. */
function trimmed(histogram: Readonly<Record<string, number>>, total: number): readonly number[] {
  const bins = Object.keys(histogram)
    .map(Number)
    .sort((a, b) => a - b);
  const ends = (ordered: readonly number[]) => {
    let passed = 0;
    return ordered.find((bin) => {
      passed += histogram[String(bin)] ?? 0;
      return passed > total / 2000;
    });
  };
  const [first, last] = [ends(bins), ends(bins.toReversed())];
  return bins.filter((bin) => first !== undefined && last !== undefined && bin >= first && bin <= last);
}

export function errorChart(band: Band, { errors }: MergedBand): Html {
  return heatMap({
    id: `errors-${band}`,
    title: `Errors in ${band}`,
    cells: cellsOf(errors),
    xWidth: BIN.magnitude,
    yWidth: BIN.logError,
    xLabel: `${band} (AB mag)`,
    yLabel: 'log10 of the error in mag',
    combine: 'sum',
    scale: 'square-root',
    unit: 'objects',
  });
}

export function colourChart(colours: string, histogram: Readonly<Record<string, number>>): Html {
  const [x = '', y = ''] = colours.split(',');
  return heatMap({
    id: `colours-${x}`,
    title: `${x} against ${y}`,
    cells: cellsOf(histogram),
    xWidth: BIN.colour,
    yWidth: BIN.colour,
    xLabel: x,
    yLabel: y,
    combine: 'sum',
    scale: 'square-root',
    unit: 'objects',
  });
}

/** Objects per square degree: a cell is narrower towards the poles. */
export function densityMap({ sky }: ReleaseSummary): Html {
  const cells = cellsOf(sky).map((cell) => ({ ...cell, value: cell.value / squareDegrees(cell.y) }));
  return heatMap({
    ...SKY,
    id: 'density',
    title: 'Objects on the sky',
    cells: unwrapped(cells),
    scale: 'square-root',
    unit: 'objects per square degree',
  });
}

export function depthMap({ depths }: ReleaseSummary): Html {
  const cells = unwrapped(cellsOf(depths));
  return heatMap({
    ...SKY,
    id: 'depth',
    title: `Depth in ${DEPTH_BAND}`,
    cells,
    scale: 'linear',
    unit: 'mag at 5 sigma',
  });
}

const SKY = {
  xWidth: BIN.sky,
  yWidth: BIN.sky,
  xLabel: 'right ascension (deg)',
  yLabel: 'declination (deg)',
  mirrored: true,
  combine: 'mean',
} as const;

/** Of a cell of the sky by the number of its declination. */
function squareDegrees(bin: number): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const band = Math.sin(radians((bin + 1) * BIN.sky)) - Math.sin(radians(bin * BIN.sky));
  return (BIN.sky * band * 180) / Math.PI;
}

/** A field across ra = 0 is drawn as one. */
function unwrapped(cells: readonly HeatCell[]): readonly HeatCell[] {
  const turn = 360 / BIN.sky;
  const nearZero = cells.some(({ x }) => x < turn / 8) && cells.some(({ x }) => x > (turn * 7) / 8);
  const middle = cells.some(({ x }) => x > (turn * 3) / 8 && x < (turn * 5) / 8);
  return nearZero && !middle ? cells.map((cell) => (cell.x > turn / 2 ? { ...cell, x: cell.x - turn } : cell)) : cells;
}

function cellsOf(histogram: Readonly<Record<string, number>>): readonly HeatCell[] {
  return Object.entries(histogram).map(([bins, value]) => {
    const [x = 0, y = 0] = bins.split(',').map(Number);
    return { x, y, value };
  });
}
