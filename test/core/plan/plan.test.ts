import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { writeModel } from '#core/campaign-book.ts';
import { chunkId, chunkKey, partKey } from '#core/chunk.ts';
import { sha256 } from '#core/digest.ts';
import { algorithmVersion } from '#core/job-order.ts';
import { groupOf } from '#core/plan/fields.ts';
import { type Baseline, type PlannedUnit, planUnits } from '#core/plan/plan.ts';
import { partId, recipeDigest } from '#core/recipe.ts';
import { expectedKey, type ReleaseSpec } from '#core/release.ts';
import { estimateKey, informKey, validateKey, workKeyOf } from '#core/work.ts';
import { registerSample, sampleSpec } from '#test/core/sample-release.ts';

const ref = (text: string) => ({ key: `lake/${text}`, sha256: sha256(text), sizeBytes: 1000 });
const spec: ReleaseSpec = { ...sampleSpec, campaign: { ...sampleSpec.campaign, partsPerBatch: 2 } };
const CONTENTS = ['a', 'b', 'c', 'd', 'e', 'f'];
const baseline: Baseline = { spec, campaign: 'before' };

let table: MemoryTable;
beforeEach(async () => {
  table = new MemoryTable();
  await registerSample(table, spec);
  await arrive('dp0', CONTENTS);
  await finishAll();
});

/** Chunks of one part each, named by their place, settled as intake settles them. */
async function arrive(
  release: string,
  contents: readonly (string | null)[],
  name = (index: number) => `chunk-${index}`,
) {
  const recipe = recipeDigest(spec.recipe, spec.profile);
  for (const [index, content] of contents.entries()) {
    const base = { name: name(index), sizeBytes: 1, rows: 1000 };
    const expected = { ...expectedKey(release, base.name), ...base, sha256: sha256(content ?? 'bad') };
    if (content === null) {
      await table.write([{ kind: 'put', item: { ...expected, outcome: 'quarantined', chunkId: null } }]);
      continue;
    }
    const id = chunkId(release, base.name, sha256(content));
    const chunk = {
      ...{ ...base, chunkId: id, release, sha256: sha256(content), etag: '', state: 'skinny', execution: '' },
      ...{ claimedAt: '', settledAt: '', parts: 1, recipeDigest: recipe, findings: [], revivals: 0, seconds: 1 },
    };
    const part = partId(sha256(content), recipe, 0, 1);
    await table.write([
      { kind: 'put', item: { ...expected, outcome: 'skinny', chunkId: id } },
      { kind: 'put', item: { ...chunkKey(release, id), ...chunk } },
      {
        kind: 'put',
        item: {
          ...partKey(release, id, 0),
          ...{ partId: part, chunkId: id, index: 0, rows: 1000 },
          ...{ skinny: ref(`skinny-${content}`), pixels: { ...ref(`pixels-${content}`), offsetBytes: 0 } },
        },
      },
    ]);
  }
}

const KEPT = { archive: false, pdf: true };

/** What a finished campaign leaves: its models, and a row for every job. */
async function finishAll(): Promise<void> {
  const recipe = recipeDigest(spec.recipe, spec.profile);
  const parts = CONTENTS.map((content) => ({
    partId: partId(sha256(content), recipe, 0, 1),
    skinny: ref(`skinny-${content}`),
    rows: 1000,
  }));
  const { heldOut } = spec.campaign;
  for (const algorithm of spec.campaign.algorithms) {
    const version = algorithmVersion(spec, algorithm);
    const model = ref(`model-${algorithm}`);
    await writeModel(table, 'before', algorithm, model);
    const keys = [
      informKey(version, spec.trainingSet, heldOut),
      validateKey(version, spec.trainingSet, heldOut, model),
    ];
    for (const start of [0, 2, 4]) keys.push(estimateKey(version, model, parts.slice(start, start + 2), KEPT));
    for (const workKey of keys) {
      const answer = { workKey, result: ref('result'), units: 1, failedUnits: 0, rows: 1000, coreSeconds: 4 };
      const row = { workKey, campaign: 'before', algorithm, answer, finishedAt: '', seconds: 1 };
      await table.write([{ kind: 'put', item: { ...workKeyOf(workKey), ...row } }]);
    }
  }
}

async function plan(
  wanted = spec,
  release = 'dp0',
  against: Baseline | null = baseline,
  columns?: { readonly now: string; readonly before: string },
): Promise<PlannedUnit[]> {
  const units: PlannedUnit[] = [];
  const request = { table, spec: wanted, release, baseline: against, ...(columns ? { columns } : {}) };
  for await (const unit of planUnits(request)) units.push(unit);
  return units;
}

const running = (units: readonly PlannedUnit[]) => units.filter(({ verdict }) => verdict === 'run');
/** `estimate bpz` -> how many run. */
function tally(units: readonly PlannedUnit[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, algorithm } of running(units)) {
    const key = algorithm ? `${kind} ${algorithm}` : kind;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const EVERY_JOB = (algorithm: string) => ({
  [`inform ${algorithm}`]: 1,
  [`validate ${algorithm}`]: 1,
  [`estimate ${algorithm}`]: 3,
});
const another = (name: string) => ({ ...spec.algorithms[name], configurationDigest: sha256('another') });
const asParsed = (changed: object): ReleaseSpec => ({ ...spec, ...changed });

describe('the plan', () => {
  const changes: [string, ReleaseSpec, Record<string, number>, string[]][] = [
    ['nothing', spec, {}, []],
    [
      'rounding: 3 decimals',
      asParsed({ recipe: { ...spec.recipe, decimals: 3 } }),
      { chunk: 6, 'estimate bpz': 3, 'estimate knn': 3 },
      ['recipe'],
    ],
    [
      "a parameter of one algorithm's",
      asParsed({ algorithms: { ...spec.algorithms, bpz: another('bpz') } }),
      EVERY_JOB('bpz'),
      ['configuration', 'model'],
    ],
    [
      'a package version',
      asParsed({ environmentDigest: sha256('upgraded') }),
      { ...EVERY_JOB('bpz'), ...EVERY_JOB('knn') },
      ['model', 'packages'],
    ],
    [
      'the training set',
      asParsed({ trainingSet: ref('other-training') }),
      { ...EVERY_JOB('bpz'), ...EVERY_JOB('knn') },
      ['input', 'model'],
    ],
    [
      'the descriptions of recipe and profile',
      asParsed({
        recipe: { ...spec.recipe, description: 'Said better' },
        profile: { ...spec.profile, description: 'Too' },
      }),
      {},
      [],
    ],
  ];

  it('runs exactly what a change of one thing makes it run, and says which field it was', async () => {
    await registerSample(table, { ...spec, release: 'dp1' });
    await arrive(
      'dp1',
      CONTENTS.map((content) => (content === 'c' ? 'new-bytes' : content)),
    );
    const same = { now: 'columns', before: 'columns' };
    const cases = [
      ...changes.map(([what, changed, runs, fields]) => ({ what, changed, runs, fields, columns: same, in: 'dp0' })),
      {
        ...{ what: "one chunk's bytes", changed: { ...spec, release: 'dp1' }, in: 'dp1', columns: same },
        ...{ runs: { 'estimate bpz': 1, 'estimate knn': 1 }, fields: ['input'] },
      },
      {
        ...{
          what: "a column's description",
          changed: spec,
          in: 'dp0',
          columns: { now: 'said better', before: 'columns' },
        },
        ...{ runs: {}, fields: ['columns'] },
      },
    ];
    const shown: Record<string, unknown>[] = [];
    for (const { what, changed, runs, fields, columns, in: release } of cases) {
      const units = await plan(changed, release, baseline, columns);
      const differing = running(units).flatMap((unit) => unit.changes.map(({ field }) => groupOf(field)));
      shown.push({ changed: what, runs: JSON.stringify(tally(units)), because: [...new Set(differing)].join(', ') });

      // A table is packed as a whole: when any of its parts is made anew, or when it says something else.
      const packed = fields.length > 0 ? { catalogue: 1 } : {};
      const made = Object.keys(runs).length > 0 ? ['units'] : [];
      expect(tally(units), what).toEqual({ ...runs, ...packed });
      expect([...new Set(differing)].sort(), what).toEqual([...fields, ...made].sort());
      expect(running(units).every((unit) => unit.changes.length > 0)).toBe(true);
    }
    console.table(shown);
  });

  it('runs the one batch of each algorithm that holds the chunk whose bytes changed', async () => {
    await registerSample(table, { ...spec, release: 'dp1' });
    await arrive(
      'dp1',
      CONTENTS.map((content) => (content === 'c' ? 'new-bytes' : content)),
    );

    const units = await plan({ ...spec, release: 'dp1' }, 'dp1');

    expect(tally(units)).toEqual({ 'estimate bpz': 1, 'estimate knn': 1 });
    for (const unit of running(units)) {
      const change = { field: 'input.chunk-2', before: sha256('c'), now: sha256('new-bytes') };
      expect([unit.name, unit.changes]).toEqual(['batch 00002', [change]]);
    }
  });

  it('runs nothing when the same bytes come under other names, in another release, at another place', async () => {
    await registerSample(table, { ...spec, release: 'moved' });
    await arrive('moved', CONTENTS, (index) => `elsewhere/tract=${index}/part`);

    expect(running(await plan({ ...spec, release: 'moved', title: 'Moved' }, 'moved', null))).toEqual([]);
  });

  it('names old and new value of the field that differs', async () => {
    const [chunk] = await plan(asParsed({ recipe: { ...spec.recipe, decimals: 3 } }));

    expect(chunk).toMatchObject({ kind: 'chunk', name: 'chunk-0', verdict: 'run' });
    expect(chunk?.changes).toEqual([{ field: 'recipe.decimals', before: '4', now: '3' }]);
  });

  it('blocks what is in quarantine and what has not arrived, with the reason', async () => {
    await registerSample(table, { ...spec, release: 'dp2' });
    await arrive('dp2', ['a', null]);

    const blocked = (await plan({ ...spec, release: 'dp2' }, 'dp2', null)).filter(
      ({ verdict }) => verdict === 'blocked',
    );

    expect(blocked.map(({ name, reason }) => [name, reason])).toEqual([
      ['chunk-1', expect.stringContaining('quarantine')],
    ]);
  });

  it('counts a new version of the derivation as code', async () => {
    const [row] = await plan();
    expect(row?.verdict).toBe('reuse');
    const id = chunkId('dp0', 'chunk-0', sha256('a'));
    const older = sha256('older code');
    await table.write([{ kind: 'update', key: chunkKey('dp0', id), set: { recipeDigest: older } }]);

    const [chunk] = await plan();

    expect(chunk).toMatchObject({ verdict: 'run', changes: [{ field: 'code', before: older }] });
  });
});
