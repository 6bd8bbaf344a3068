import { type CheckRule, type ReleaseCheck, releaseRuleFor } from '#core/checks.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { type ChunkSummary, mergeInto } from '#core/chunk-summary.ts';
import type { KeyNumbers } from '#core/key-numbers.ts';
import { BANDS, type Band } from '#core/profile.ts';
import type { SharedIds } from '#core/shared-ids.ts';
import { depthOf } from '#core/value-statistics.ts';

export interface MergedBand {
  rows: number;
  empty: number;
  notDetected: number;
  errorUnusable: number;
  detected: number;
  depthObjects: number;
  depthSum: number;
  readonly magnitudes: Record<string, number>;
  readonly errors: Record<string, number>;
}

/** A chunk whose depth in a band is not that of the others. */
export interface Drift {
  readonly name: string;
  readonly band: Band;
  /** Magnitudes at 5 sigma: of the chunk, and the median of the release's chunks. */
  readonly depth: number;
  readonly median: number;
}

export interface ReleaseSummary {
  readonly chunks: number;
  readonly rows: number;
  readonly keptRows: number;
  readonly primary: number | null;
  readonly separated: number | null;
  readonly extended: number | null;
  readonly bands: Readonly<Partial<Record<Band, MergedBand>>>;
  readonly colours: Readonly<Record<string, Record<string, number>>>;
  readonly sky: Readonly<Record<string, number>>;
  /** Cell of the sky -> mean depth in i, of its chunks, weighted by their objects there. */
  readonly depths: Readonly<Record<string, number>>;
  readonly drifts: readonly Drift[];
  /** Tract -> rows of usable chunks; null where no chunk says. */
  readonly tracts: Readonly<Record<string, number>> | null;
}

/** In standard deviations, as the median absolute deviation says them. */
const DRIFT_DEVIATIONS = 5;
/** Fewer chunks have no usual depth. */
const ENOUGH_CHUNKS = 5;
/** The band of the depth map. */
export const DEPTH_BAND = 'i';

/** Merges what intake left of each chunk; holds a few numbers per chunk, and the sums. */
export class ReleaseMerger {
  readonly #bands: Partial<Record<Band, MergedBand>> = {};
  readonly #colours: Record<string, Record<string, number>> = {};
  readonly #sky: Record<string, number> = {};
  readonly #depthWeights: Record<string, { objects: number; sum: number }> = {};
  readonly #depths: { readonly name: string; readonly band: Band; readonly depth: number }[] = [];
  #tracts: Record<string, number> | null = null;
  readonly #drift: CheckRule;
  readonly #totals = { chunks: 0, rows: 0, keptRows: 0 };
  readonly #about: { primary: number | null; separated: number | null; extended: number | null } = {
    primary: null,
    separated: null,
    extended: null,
  };

  constructor(drift = releaseRuleFor('DEPTH_DRIFT', undefined)) {
    this.#drift = drift;
  }

  add(summary: ChunkSummary): void {
    const { values } = summary;
    this.#totals.chunks += 1;
    this.#totals.rows += summary.rows;
    this.#totals.keptRows += summary.keptRows;
    for (const key of ['primary', 'separated', 'extended'] as const) {
      const value = values[key];
      if (value !== null) this.#about[key] = (this.#about[key] ?? 0) + value;
    }
    for (const band of BANDS) this.#addBand(summary, band);
    for (const [colours, histogram] of Object.entries(summary.colours)) {
      const into = this.#colours[colours] ?? {};
      this.#colours[colours] = into;
      mergeInto(into, histogram);
    }
    mergeInto(this.#sky, summary.sky);
    const own = values.bands[DEPTH_BAND];
    const depth = own ? depthOf(own) : null;
    if (depth !== null) this.#addDepth(summary.sky, depth);
    if (values.tracts) {
      this.#tracts ??= {};
      mergeInto(this.#tracts, values.tracts.rows);
    }
  }

  result(): ReleaseSummary {
    const depths = Object.entries(this.#depthWeights).map(([cell, { objects, sum }]) => [cell, sum / objects] as const);
    return {
      ...this.#totals,
      ...this.#about,
      bands: this.#bands,
      colours: this.#colours,
      sky: this.#sky,
      depths: Object.fromEntries(depths),
      drifts: BANDS.flatMap((band) =>
        driftsOf(
          this.#depths.filter((entry) => entry.band === band),
          this.#drift.limit,
        ),
      ),
      tracts: this.#tracts,
    };
  }

  #addBand({ name, values, bands }: ChunkSummary, band: Band): void {
    const [raw, own] = [values.bands[band], bands[band]];
    if (!raw || !own) return;
    const into = this.#bands[band] ?? emptyBand();
    this.#bands[band] = into;
    into.rows += values.rows;
    into.empty += raw.empty;
    into.notDetected += raw.notDetected;
    into.errorUnusable += raw.errorUnusable;
    into.detected += own.detected;
    into.depthObjects += raw.depth.objects;
    into.depthSum += raw.depth.sum;
    mergeInto(into.magnitudes, own.magnitudes);
    mergeInto(into.errors, own.errors);
    const depth = depthOf(raw);
    if (depth !== null) this.#depths.push({ name, band, depth });
  }

  #addDepth(sky: ChunkSummary['sky'], depth: number): void {
    for (const [cell, objects] of Object.entries(sky)) {
      const weight = this.#depthWeights[cell] ?? { objects: 0, sum: 0 };
      this.#depthWeights[cell] = weight;
      weight.objects += objects;
      weight.sum += objects * depth;
    }
  }
}

const emptyBand = (): MergedBand => ({
  ...{ rows: 0, empty: 0, notDetected: 0, errorUnusable: 0, detected: 0, depthObjects: 0, depthSum: 0 },
  ...{ magnitudes: {}, errors: {} },
});

/** Against the median of all, so that it does not matter which chunk came first. */
function driftsOf(entries: readonly { name: string; band: Band; depth: number }[], least: number): readonly Drift[] {
  if (entries.length < ENOUGH_CHUNKS) return [];
  const median = medianOf(entries.map(({ depth }) => depth));
  const deviation = 1.4826 * medianOf(entries.map(({ depth }) => Math.abs(depth - median)));
  const limit = Math.max(least, DRIFT_DEVIATIONS * deviation);
  return entries.filter(({ depth }) => Math.abs(depth - median) > limit).map((entry) => ({ ...entry, median }));
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
}

/** What the page says of chunks besides their values. */
export interface ReleaseReport {
  readonly release: string;
  readonly title: string;
  readonly profile: string;
  readonly recipe: string;
  /** By the publisher's manifest; null where there is none yet. */
  readonly expected: { readonly chunks: number; readonly rows: number } | null;
  /** State -> chunks. */
  readonly states: Readonly<Record<string, number>>;
  readonly quarantined: readonly Pick<ChunkRow, 'name' | 'findings' | 'decision'>[];
  readonly flagged: readonly Pick<ChunkRow, 'name' | 'findings'>[];
  readonly summary: ReleaseSummary;
  readonly shared: readonly SharedIds[];
  /** What the publisher says of the release, where the operator registered it. */
  readonly published: KeyNumbers | null;
  /** Checks of the release whose findings the survey only wants noted. */
  readonly noted: readonly ReleaseCheck[];
}
