import type { Cloud } from '#cli/context.ts';
import { viewCampaign } from '#cli/operations/look.ts';
import { type Decision, decide } from '#core/approval.ts';
import { asDigest, isDigest } from '#core/digest.ts';
import { InputError } from '#core/errors.ts';

export interface ApprovalRequest {
  readonly campaign: string;
  readonly verdict: Decision['verdict'];
  readonly comment: string;
  /** The digest of the report that the coordinator has read, or its first 8 digits or more. */
  readonly report: string;
}

/**
 * Records the coordinator's decision under the identity that signs the call, and answers the waiting campaign.
 * @throws {InputError} when the campaign does not wait, was decided, or the report is not the one that was read.
 */
export async function approve(cloud: Cloud, request: ApprovalRequest): Promise<Decision> {
  const { approval } = await viewCampaign(cloud, request.campaign);
  if (!approval) throw refused(`the campaign ${request.campaign} is not waiting for an approval`);
  const whole = approval.report.sha256;
  if (request.report.length < 8 || !whole.startsWith(request.report)) {
    throw refused(`the report of ${request.campaign} is ${whole.slice(0, 12)}, not ${request.report}`);
  }
  const outcome = await decide(
    cloud.table,
    request.campaign,
    { planDigest: approval.planDigest, reportDigest: isDigest(request.report) ? asDigest(request.report) : whole },
    {
      verdict: request.verdict,
      identity: await cloud.identity(),
      comment: request.comment,
      at: new Date().toISOString(),
    },
  );
  if (outcome.kind === 'refused') throw refused(outcome.reason);
  // False only when the campaign got the answer already: then there is nothing left to do.
  await cloud.callback.succeed(outcome.taskToken, outcome.decision);
  return outcome.decision;
}

const refused = (message: string) =>
  new InputError(message, {
    code: 'APPROVAL_REFUSED',
    hint: 'Read the report that is there now: ponte campaign watch <campaign> names it.',
  });
