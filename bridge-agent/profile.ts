import { existsSync } from 'node:fs';
import { Journal } from '#adapters/journal.ts';
import type { MeasurementRow } from '#adapters/journal-rows.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { InputError } from '#core/errors.ts';

/** What a group of attempts took. Seconds are sums over the attempts, bytes of the peak are the highest one. */
export interface Profile {
  readonly algorithm: string;
  readonly kind: string;
  readonly attempts: number;
  readonly failed: number;
  readonly rows: number;
  /** Of wall time without the imports; null when nothing succeeded. */
  readonly rowsPerSecond: number | null;
  readonly seconds: Record<'wall' | 'cpu' | 'import' | 'read' | 'compute' | 'write', number>;
  readonly peakRssBytes: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly nodes: readonly string[];
}

/** @throws {InputError} `CAMPAIGN_UNMEASURED` when nothing of the campaign ended here. */
export function readMeasurements({ journal, site }: AgentConfiguration, campaign: string): readonly MeasurementRow[] {
  const rows = existsSync(journal) ? Journal.read(journal, (open) => open.measurements(campaign)) : [];
  if (rows.length > 0) return rows;
  throw new InputError(`no task of the campaign "${campaign}" has ended at ${site}`, {
    code: 'CAMPAIGN_UNMEASURED',
    hint: 'Check the name with ponte campaign list; a task is measured when all its parts have their exit records.',
  });
}

/** One profile per algorithm and kind of work, in the order of their names. */
export function profiles(rows: readonly MeasurementRow[]): readonly Profile[] {
  const groups = Map.groupBy(rows, ({ algorithm, kind }) => `${algorithm} ${kind}`);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => profileOf(group));
}

function profileOf(group: readonly MeasurementRow[]): Profile {
  const sum = (of: (row: MeasurementRow) => number) => group.reduce((total, row) => total + of(row), 0);
  const good = group.filter(({ outcome }) => outcome === 'succeeded');
  const goodRows = good.reduce((total, row) => total + row.rows, 0);
  const busy = good.reduce((total, row) => total + row.wall_seconds - row.import_seconds, 0);
  return {
    algorithm: group[0]?.algorithm ?? '',
    kind: group[0]?.kind ?? '',
    attempts: group.length,
    failed: group.length - good.length,
    rows: goodRows,
    rowsPerSecond: busy > 0 ? goodRows / busy : null,
    seconds: {
      wall: sum((row) => row.wall_seconds),
      cpu: sum((row) => row.cpu_seconds),
      import: sum((row) => row.import_seconds),
      read: sum((row) => row.read_seconds),
      compute: sum((row) => row.compute_seconds),
      write: sum((row) => row.write_seconds),
    },
    peakRssBytes: Math.max(...group.map((row) => row.peak_rss_bytes)),
    readBytes: sum((row) => row.read_bytes),
    writtenBytes: sum((row) => row.written_bytes),
    nodes: [...new Set(group.map(({ node }) => node))].sort(),
  };
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);

/** For people: a paragraph per algorithm and kind, then the failures, the newest last. */
export function profileText(rows: readonly MeasurementRow[]): string {
  const paragraphs = profiles(rows).map((one) => {
    const { seconds } = one;
    const rate = one.rowsPerSecond === null ? 'no rows' : `${one.rowsPerSecond.toFixed(0)} rows/s`;
    const split = (['import', 'read', 'compute', 'write'] as const)
      .map((name) => `${name} ${seconds[name].toFixed(1)} s`)
      .join(', ');
    return [
      `${one.algorithm} ${one.kind}: ${one.attempts} attempts (${one.failed} failed), ${one.rows} rows, ${rate}`,
      `  wall ${seconds.wall.toFixed(1)} s (${split}), cpu ${seconds.cpu.toFixed(1)} s`,
      `  peak memory ${megabytes(one.peakRssBytes)} MB, read ${megabytes(one.readBytes)} MB, wrote ${megabytes(one.writtenBytes)} MB`,
      `  on ${one.nodes.join(', ')}`,
    ].join('\n');
  });
  const failures = rows
    .filter(({ outcome }) => outcome !== 'succeeded')
    .map((row) => `  ${row.unit_id.slice(0, 12)} try ${row.attempt}, task ${row.task}, ${row.node}: ${row.error}`);
  return [...paragraphs, ...(failures.length > 0 ? ['failures:', ...failures] : [])].join('\n');
}
