import { z } from 'zod';
import { campaignPartition } from '#core/campaign.ts';
import type { Digest } from '#core/digest.ts';
import { digestSchema, objectRefSchema } from '#core/job.ts';
import type { Key, Table } from '#core/table.ts';

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

/**
 * Asks for a decision. A retry brings a new token and keeps the request; once decided, the decision stays, unless the
 * plan or the report is another one: then the old decision is void.
 */
export async function requestApproval(table: Table, request: Omit<ApprovalRow, 'decision'>): Promise<ApprovalRow> {
  const before = await readApproval(table, request.campaign);
  const same = before?.planDigest === request.planDigest && before.report.sha256 === request.report.sha256;
  const decision = same ? before.decision : null;
  const row: ApprovalRow = { ...request, decision };
  const { decision: _none, ...undecided } = row;
  await table.write([
    { kind: 'put', item: { ...approvalKey(request.campaign), ...undecided, ...(decision ? { decision } : {}) } },
  ]);
  return row;
}

export type DecisionOutcome =
  | { readonly kind: 'recorded'; readonly taskToken: string; readonly decision: Decision }
  | { readonly kind: 'refused'; readonly reason: string };

/** Records a decision on exactly the plan and the report that the coordinator has read. The first decision stands. */
export async function decide(
  table: Table,
  campaign: string,
  read: { readonly planDigest: Digest; readonly reportDigest: Digest },
  decision: Decision,
): Promise<DecisionOutcome> {
  const approval = await readApproval(table, campaign);
  if (!approval) return { kind: 'refused', reason: `the campaign ${campaign} is not waiting for an approval` };
  if (approval.planDigest !== read.planDigest || approval.report.sha256 !== read.reportDigest) {
    return { kind: 'refused', reason: 'the plan or the report has changed since you read it; read it again' };
  }
  const outcome = await table.write([
    {
      kind: 'update',
      key: approvalKey(campaign),
      set: { decision },
      when: [
        { kind: 'equals', attribute: 'planDigest', value: read.planDigest },
        { kind: 'absent', attribute: 'decision' },
      ],
    },
  ]);
  if (outcome.written) return { kind: 'recorded', taskToken: approval.taskToken, decision };
  const standing = await readApproval(table, campaign);
  // The one who decided may have died before the answer reached the state machine: the answer is sent again.
  if (standing?.decision?.verdict === decision.verdict) {
    return { kind: 'recorded', taskToken: standing.taskToken, decision: standing.decision };
  }
  const who = standing?.decision ? `${standing.decision.verdict} by ${standing.decision.identity}` : 'decided';
  return { kind: 'refused', reason: `the campaign ${campaign} was already ${who}` };
}
