import { z } from 'zod';
import { campaignPartition } from '#core/campaign.ts';
import type { Digest } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import { digestSchema, objectRefSchema } from '#core/job.ts';
import { type Condition, equals, type Key, ROW_IS_NEW, type Table } from '#core/table.ts';

export const decisionSchema = z.strictObject({
  verdict: z.enum(['approved', 'rejected']),
  /** The ARN that signed the call, not a name someone typed. */
  identity: z.string(),
  comment: z.string(),
  at: z.string(),
});
export type Decision = z.infer<typeof decisionSchema>;

export const approvalRowSchema = z.object({
  campaign: z.string(),
  taskToken: z.string(),
  planDigest: digestSchema,
  /** The validation report, whose digest the approval is bound to. */
  report: objectRefSchema,
  page: objectRefSchema,
  requestedAt: z.string(),
  decision: decisionSchema.nullable(),
});
export type ApprovalRow = z.infer<typeof approvalRowSchema>;

export const approvalKey = (campaign: string): Key => ({ pk: campaignPartition(campaign), sk: 'APPROVAL' });

export async function readApproval(table: Table, campaign: string): Promise<ApprovalRow | null> {
  const row = await table.get(approvalKey(campaign));
  return row ? approvalRowSchema.parse({ decision: null, ...row }) : null;
}

/** How often a request and a decision may meet before the state machine, or the coordinator, tries again. */
const ATTEMPTS = 8;

/**
 * Asks for a decision. A retry brings a new token and keeps the request; once decided, the decision stays, unless the
 * plan or the report is another one: then the old decision is void.
 * @throws {TransientError} `APPROVAL_CONTENDED` when decisions kept coming in between.
 */
export async function requestApproval(table: Table, request: Omit<ApprovalRow, 'decision'>): Promise<ApprovalRow> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const before = await readApproval(table, request.campaign);
    const same = before?.planDigest === request.planDigest && before.report.sha256 === request.report.sha256;
    const decision = same ? before.decision : null;
    const item = { ...approvalKey(request.campaign), ...request, ...(decision ? { decision } : {}) };
    if ((await table.write([{ kind: 'put', item, when: before ? unchanged(before) : [ROW_IS_NEW] }])).written) {
      return { ...request, decision };
    }
  }
  throw contended(request.campaign);
}

/** Every request has a token of its own, so the row with this token and no other decision is the one that was read. */
function unchanged({ taskToken, decision }: ApprovalRow): Condition[] {
  return [equals('taskToken', taskToken), { kind: decision ? 'present' : 'absent', attribute: 'decision' }];
}

function contended(campaign: string): TransientError {
  return new TransientError(`the approval of ${campaign} kept changing`, {
    code: 'APPROVAL_CONTENDED',
    hint: 'Nothing was written; try again.',
  });
}

export type DecisionOutcome =
  | { readonly kind: 'recorded'; readonly taskToken: string; readonly decision: Decision }
  | { readonly kind: 'refused'; readonly reason: string };

/**
 * Records a decision on exactly the plan and the report that the coordinator has read. The first decision stands; the
 * same decision again gives it again, with the token that waits for it now.
 *
 *     request: token t1 ──────────── put t2, still undecided
 *     decide:        read t1 ─────────────────────── write if t1: refused ── read t2 ── write if t2
 *
 * @throws {TransientError} `APPROVAL_CONTENDED` when new requests kept coming in between.
 */
export async function decide(
  table: Table,
  campaign: string,
  read: { readonly planDigest: Digest; readonly reportDigest: Digest },
  decision: Decision,
): Promise<DecisionOutcome> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const approval = await readApproval(table, campaign);
    if (!approval) return { kind: 'refused', reason: `the campaign ${campaign} is not waiting for an approval` };
    if (approval.planDigest !== read.planDigest || approval.report.sha256 !== read.reportDigest) {
      return { kind: 'refused', reason: 'the plan or the report has changed since you read it; read it again' };
    }
    const { taskToken, decision: standing } = approval;
    // The one who decided may have died before the answer reached the state machine: the answer is sent again.
    if (standing?.verdict === decision.verdict) return { kind: 'recorded', taskToken, decision: standing };
    if (standing) {
      const reason = `the campaign ${campaign} was already ${standing.verdict} by ${standing.identity}`;
      return { kind: 'refused', reason };
    }
    const key = approvalKey(campaign);
    const outcome = await table.write([{ kind: 'update', key, set: { decision }, when: unchanged(approval) }]);
    if (outcome.written) return { kind: 'recorded', taskToken, decision };
  }
  throw contended(campaign);
}
