import fc from 'fast-check';
import { expect, it } from 'vitest';
import { campaignName, planDigest, readChunkSet } from '#core/campaign.ts';
import { CHUNK_PREFIX, type ChunkRow, chunkRowSchema } from '#core/chunk.ts';
import { readExpected, readPointer, readRelease } from '#core/chunk-book.ts';
import { campaignExecutionName } from '#core/intake.ts';
import { SETTLED_STATES } from '#core/life-cycle.ts';
import { EXPECTED_PREFIX, expectedChunkSchema, isComplete, releasePartition } from '#core/release.ts';
import { scan } from '#core/table.ts';
import { type Content, digestOfContent, RELEASE, SimulatedIntake } from '#test/core/simulated-intake.ts';

const NAMES = ['x', 'y'] as const;

type Action =
  | {
      readonly kind: 'upload';
      readonly name: string;
      readonly content: Content;
      readonly declared: boolean;
      readonly parts: number;
    }
  | { readonly kind: 'manifest' }
  /** One process, or what it starts, makes its next calls; or it is killed before them. */
  | { readonly kind: 'step'; readonly choice: number; readonly calls: number; readonly kill: boolean };

const actionArbitrary: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('upload' as const),
      // Mostly one name: what goes wrong goes wrong between uploads of the same.
      name: fc.constantFrom('x', 'x', 'x', 'y'),
      content: fc.constantFrom<Content>('A', 'A', 'B', 'D'),
      declared: fc.boolean(),
      parts: fc.constantFrom(1, 1, 1, 2),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'manifest' as const }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('step' as const),
      choice: fc.nat(1000),
      // Most faults need few changes between processes, each after a long run of one of them.
      calls: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 25 })),
      kill: fc.integer({ min: 0, max: 14 }).map((dice) => dice === 0),
    }),
  },
);

it('whatever comes when: one current chunk per name, which is what lies there; each line of the manifest counted once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(actionArbitrary, { maxLength: 150, size: 'max' }), async (actions) => {
      const intake = await SimulatedIntake.open();
      for (const action of actions) await act(intake, action);
      await drain(intake);
      await callOperator(intake);
      await drain(intake);

      await assess(intake);
    }),
    { numRuns: 2000 },
  );
}, 120_000);

async function act(intake: SimulatedIntake, action: Action): Promise<void> {
  if (action.kind === 'manifest') return intake.uploadManifest(NAMES);
  if (action.kind === 'upload') return intake.upload(action.name, action.content, action.declared, action.parts);
  if (intake.stepping.waiting === 0) return;
  await intake.stepping.advance(action.choice, action.kill);
  for (let call = 1; call < action.calls && intake.stepping.waiting > 0; call += 1) {
    await intake.stepping.advance(intake.stepping.waiting - 1);
  }
}

async function drain(intake: SimulatedIntake): Promise<void> {
  for (let steps = 0; intake.stepping.waiting > 0; steps += 1) {
    if (steps > 20_000) throw new Error('the intake does not come to rest');
    await intake.stepping.advance(0);
  }
}

/** What the runbook says after a failed execution: upload the file again, and ask for the campaign. */
async function callOperator(intake: SimulatedIntake): Promise<void> {
  if (intake.failedNames.size === 0) return;
  for (const name of intake.failedNames) {
    const upload = intake.landing.get(name);
    if (upload) intake.upload(name, upload.content, true);
    if (name === 'manifest') intake.uploadManifest(NAMES);
  }
  await drain(intake);
  intake.send({ version: 1, kind: 'campaign', release: RELEASE });
}

async function chunksOf(intake: SimulatedIntake): Promise<ChunkRow[]> {
  const rows: ChunkRow[] = [];
  for await (const row of scan(intake.table, releasePartition(RELEASE), CHUNK_PREFIX))
    rows.push(chunkRowSchema.parse(row));
  return rows;
}

const isAtRest = ({ state }: ChunkRow) => SETTLED_STATES.includes(state) || state === 'superseded';

async function assess(intake: SimulatedIntake): Promise<void> {
  const { table, landing } = intake;
  expect(intake.illegalMoves).toEqual([]);
  const chunks = await chunksOf(intake);
  for (const name of NAMES) {
    const own = chunks.filter((chunk) => chunk.name === name);
    const current = own.filter((chunk) => chunk.state === 'skinny');
    const upload = landing.get(name);
    const pointer = await readPointer(table, RELEASE, name);
    const line = await readExpected(table, RELEASE, name);
    if (!upload) {
      expect([own, pointer]).toEqual([[], null]);
      continue;
    }
    const acceptable = (sha256: string) =>
      sha256 !== digestOfContent(name, 'D') && (line === null || line.sha256 === sha256);
    const sha256 = digestOfContent(name, upload.content);
    const there = own.find((chunk) => chunk.sha256 === sha256);

    // Only a content that lies there no more may be left behind in the hands of an execution that failed.
    expect(own.every((chunk) => isAtRest(chunk) || intake.executions.get(chunk.execution) === 'failed')).toBe(true);
    // Without a digest nothing gets in, but what got in with one stays although it is uploaded again without.
    const known = line !== null || upload.declared !== null;
    const before = [...intake.versions.values()].some(({ declared }) => declared === sha256);
    const may = !acceptable(sha256) || (!known && !before) ? ['quarantined'] : ['skinny'];
    expect(acceptable(sha256) && !known && before ? ['quarantined', 'skinny'] : may).toContain(there?.state);
    expect(current.length).toBeLessThanOrEqual(1);
    expect(current.every((chunk) => acceptable(chunk.sha256))).toBe(true);
    expect(pointer?.outcome).toBe(current.length === 1 ? 'skinny' : 'quarantined');
    const pointed = own.find((chunk) => chunk.chunkId === pointer?.chunkId);
    expect(pointed?.state).toBe(pointer?.outcome);
    if (line) expect([line.outcome, line.chunkId]).toEqual([pointer?.outcome, pointer?.chunkId]);
  }
  await assessCompleteness(intake);
}

async function assessCompleteness({ table, plansStarted }: SimulatedIntake): Promise<void> {
  const release = await readRelease(table, RELEASE);
  let settled = 0;
  for await (const row of scan(table, releasePartition(RELEASE), EXPECTED_PREFIX)) {
    if (expectedChunkSchema.parse({ outcome: null, chunkId: null, ...row }).outcome) settled += 1;
  }
  expect(release.settledChunks).toBe(settled);
  const complete = release.manifestState === 'complete' && settled === NAMES.length;
  expect(isComplete(release)).toBe(complete);
  const plan = planDigest(release, await readChunkSet(table, RELEASE));
  // The campaign of what is current at the end was asked for; without completeness no campaign ever was.
  expect(plansStarted.has(campaignExecutionName(plan) + campaignName(release, plan))).toBe(complete);
  if (!complete) expect([...plansStarted]).toEqual([]);
}
