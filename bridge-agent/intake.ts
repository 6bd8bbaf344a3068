import { z } from 'zod';
import type { AgentContext } from '#bridge-agent/context.ts';
import { roomFor, whyCampaignIsSpent, whyCampaignWaits } from '#bridge-agent/room.ts';
import { type JobMessage, jobMessageSchema } from '#core/job.ts';
import type { QueuedMessage } from '#core/job-queue.ts';
import { isInformedModel } from '#core/work.ts';

/** All that is needed to answer a message which is otherwise wrong. */
const tokenOnlySchema = z.object({ taskToken: z.string().min(1).max(2048) });

/**
 * Takes one message in. What it asks is committed before the message is deleted, so a kill between the two brings the
 * message again and finds the work. A message that is no job at all stays, for the queue's dead-letter rule.
 */
export async function takeIn(message: QueuedMessage, context: AgentContext): Promise<void> {
  const content = parseJson(message.body);
  const parsed = jobMessageSchema.safeParse(content);
  if (parsed.success) {
    const waits = whyWaits(parsed.data, context);
    if (waits !== null) {
      context.log.info({ workKey: parsed.data.workKey, why: waits }, 'Job:GivenBack');
      await context.queue.giveBack(message, context.configuration.intervals.giveBackSeconds);
      return;
    }
    const refusal = whyRefused(parsed.data, context);
    if (refusal === null) register(parsed.data, context);
    else refuse(parsed.data.taskToken, refusal, context);
  } else {
    const token = tokenOnlySchema.safeParse(content);
    if (!token.success) {
      context.log.warn({ body: message.body.slice(0, 200) }, 'Job:Unreadable');
      return;
    }
    refuse(token.data.taskToken, `this agent cannot read the message: ${z.prettifyError(parsed.error)}`, context);
  }
  await context.queue.remove(message);
}

/** What is known already goes on: it has its place. The room may have gone while the queue was waited for. */
function whyWaits({ workKey, campaign }: JobMessage, context: AgentContext): string | null {
  if (context.journal.work(workKey) !== null) return null;
  return roomFor(context).why ?? whyCampaignWaits(campaign, context);
}

/** Only what is registered here runs here: the message names an algorithm, it cannot bring one; nor a model of its own. */
function whyRefused(message: JobMessage, context: AgentContext): string | null {
  const { algorithms, configuration, journal } = context;
  const registered = algorithms.get(message.algorithm);
  const { site } = configuration;
  if (registered === undefined) return `the algorithm "${message.algorithm}" is not registered at ${site}`;
  if ('model' in message && !isInformedModel(message.model)) {
    return `the model ${message.model.key} is not what an inform of ours left for ${message.model.sha256}; a model is code, so ${site} loads no other`;
  }
  if (registered === message.configurationDigest) {
    // What is known already goes on: its core-hours are spent.
    return journal.work(message.workKey) === null ? whyCampaignIsSpent(message.campaign, context) : null;
  }
  return `${site} has another configuration of "${message.algorithm}" (${registered}) than the one asked for (${message.configurationDigest}); install the same version of Ponte on both sides`;
}

function refuse(token: string, cause: string, { journal }: AgentContext): void {
  journal.transition(null, 'Job:Refused', { cause }, () => {
    journal.addReply(null, token, { kind: 'failure', error: 'JobRefused', cause });
  });
}

function register(message: JobMessage, context: AgentContext): void {
  const { journal } = context;
  const { workKey, taskToken, kind, campaign, algorithm } = message;
  const known = journal.work(workKey);
  const detail = { kind, campaign, algorithm };
  if (known === null) {
    journal.transition(workKey, 'Job:Received', detail, () => {
      journal.addWork(message);
      journal.addWaiter(workKey, taskToken);
    });
    return;
  }
  const isOver = known.state === 'done' || known.state === 'failed' || known.state === 'cancelled';
  if (journal.knowsWaiter(taskToken)) {
    context.log.info({ workKey }, 'Job:Duplicate');
  } else if (isOver) {
    // A new round looks for the finished result first, so that done work is answered again without being done again.
    journal.transition(workKey, 'Job:AskedAgain', { ...detail, before: known.state }, () => {
      journal.addWaiter(workKey, taskToken);
      journal.reopenWork(message);
    });
  } else {
    journal.transition(workKey, 'Job:Rebound', detail, () => journal.addWaiter(workKey, taskToken));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
