import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryTable } from '#adapters/memory-table.ts';
import { type Decision, type DecisionOutcome, decide, readApproval, requestApproval } from '#core/approval.ts';
import { sha256 } from '#core/digest.ts';
import { Stepping, steppingTable } from '#test/core/stepping.ts';

const PLAN = sha256('plan');
const REPORT = sha256('report');
const READ = { planDigest: PLAN, reportDigest: REPORT };

const request = (taskToken: string, plan = PLAN, report = REPORT) => ({
  campaign: 'c',
  taskToken,
  planDigest: plan,
  report: { key: 'report.json', sha256: report, sizeBytes: 1 },
  page: { key: 'report.html', sha256: report, sizeBytes: 1 },
  requestedAt: '2026-01-01T00:00:00.000Z',
});
const decision = (verdict: Decision['verdict'], identity: string): Decision => ({
  verdict,
  identity,
  comment: '',
  at: '2026-01-02T00:00:00.000Z',
});
const YES = decision('approved', 'arn:ana');
const NO = decision('rejected', 'arn:bruno');

let table: MemoryTable;
beforeEach(() => {
  table = new MemoryTable();
});

describe('an approval', () => {
  it('is recorded on the plan and the report that were read', async () => {
    await requestApproval(table, request('t1'));

    expect(await decide(table, 'c', READ, YES)).toEqual({ kind: 'recorded', taskToken: 't1', decision: YES });
    expect((await readApproval(table, 'c'))?.decision).toEqual(YES);
  });

  it('is refused where nothing waits for it', async () => {
    expect(await decide(table, 'c', READ, YES)).toMatchObject({ kind: 'refused' });
  });

  it.each([
    ['plan', { planDigest: sha256('other'), reportDigest: REPORT }],
    ['report', { planDigest: PLAN, reportDigest: sha256('other') }],
  ])('is refused on another %s than the one that is asked about', async (_what, read) => {
    await requestApproval(table, request('t1'));

    expect(await decide(table, 'c', read, YES)).toMatchObject({ kind: 'refused', reason: /changed/ });
    expect((await readApproval(table, 'c'))?.decision).toBeNull();
  });

  it('stands: the opposite comes too late, the same is given again with who gave it first', async () => {
    await requestApproval(table, request('t1'));
    await decide(table, 'c', READ, YES);

    expect(await decide(table, 'c', READ, NO)).toMatchObject({ kind: 'refused', reason: /approved by arn:ana/ });
    const again = await decide(table, 'c', READ, decision('approved', 'arn:carla'));
    expect(again).toEqual({ kind: 'recorded', taskToken: 't1', decision: YES });
  });

  it('answers a retry that asks again, with its new token', async () => {
    await requestApproval(table, request('t1'));
    await decide(table, 'c', READ, YES);

    expect((await requestApproval(table, request('t2'))).decision).toEqual(YES);
    expect(await decide(table, 'c', READ, YES)).toMatchObject({ kind: 'recorded', taskToken: 't2' });
  });

  it.each([
    ['plan', request('t2', sha256('other plan'), REPORT)],
    ['report', request('t2', PLAN, sha256('other report'))],
  ])('is void on another %s', async (_what, changed) => {
    await requestApproval(table, request('t1'));
    await decide(table, 'c', READ, YES);

    expect((await requestApproval(table, changed)).decision).toBeNull();
    expect((await readApproval(table, 'c'))?.decision).toBeNull();
    expect(await decide(table, 'c', READ, NO)).toMatchObject({ kind: 'refused', reason: /changed/ });
  });
});

it('whatever comes when: one decision stands, and the token that waits at the end gets it', async () => {
  const actors = fc.array(fc.constantFrom('ask', 'yes', 'no'), { minLength: 2, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(actors, fc.array(fc.nat(100), { maxLength: 100 }), async (kinds, order) => {
      const books = new MemoryTable();
      const stepping = new Stepping();
      const answered = new Map<string, string>();
      const outcomes: DecisionOutcome[] = [];
      await requestApproval(books, request('t'));
      for (const [index, kind] of kinds.entries()) {
        stepping.start(async (step) => {
          const own = steppingTable(books, step);
          if (kind === 'ask') {
            // functions/request-approval.ts answers at once when there is a decision.
            const { taskToken, decision: made } = await requestApproval(own, request(`t${index}`));
            if (made) answered.set(taskToken, made.verdict);
            return;
          }
          const outcome = await decide(
            own,
            'c',
            READ,
            decision(kind === 'yes' ? 'approved' : 'rejected', `arn:${index}`),
          );
          outcomes.push(outcome);
          if (outcome.kind === 'recorded') answered.set(outcome.taskToken, outcome.decision.verdict);
        });
      }
      for (let at = 0; stepping.waiting > 0; at += 1) await stepping.advance(order[at] ?? 0);

      const end = await readApproval(books, 'c');
      const recorded = outcomes.flatMap((outcome) => (outcome.kind === 'recorded' ? [outcome.decision] : []));
      expect(new Set(recorded.map((made) => made.identity)).size).toBeLessThanOrEqual(1);
      expect(end?.decision?.identity).toBe(recorded[0]?.identity);
      expect(end !== null && end.decision !== null).toBe(kinds.some((kind) => kind !== 'ask'));
      if (end?.decision) expect(answered.get(end.taskToken)).toBe(end.decision.verdict);
    }),
    { numRuns: 500 },
  );
});
