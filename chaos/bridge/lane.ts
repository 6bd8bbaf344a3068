import { setTimeout as sleep } from 'node:timers/promises';
import type { Seeded } from '#chaos/bridge/seeded.ts';
import { type BatchPart, batchSchema, type JobMessage, jobResultSchema } from '#core/job.ts';
import { AgentChild } from '#test/bridge-agent/agent-child.ts';
import { FAULT_POINTS } from '#test/bridge-agent/fault-points.ts';
import { type OrderedUnit, TestSite } from '#test/bridge-agent/site.ts';

/** What a round takes at most: a lost job is only believed lost after 25 s, a ghost holds its cores for 100 s. */
const PATIENCE_SECONDS = 300;

/**
 * What one batch meets: units that work, one that dies with its task, one whose task ends well without its record, one that
 * fails at first, one that is wrong.
 */
export const UNITS: readonly (OrderedUnit & { readonly records: number; readonly starts: number })[] = [
  { records: 1, starts: 1 },
  { seconds: 0.5, records: 1, starts: 1 },
  { behave: 'flaky', records: 2, starts: 2 },
  { behave: 'crash-once', records: 1, starts: 2 },
  { behave: 'vanish-once', records: 1, starts: 2 },
  { behave: 'science', records: 1, starts: 1 },
];

export interface RoundOutcome {
  /** The transition or act at which the agent was killed; null when the round never came there. */
  readonly killedAt: string | null;
  readonly extraMessages: number;
  /** Parts of the plan without outputs, or tokens without an answer. */
  readonly lost: number;
  /** Outputs, records, starts of an attempt, or answers beyond the one that should be. */
  readonly duplicated: number;
  readonly wrong: readonly string[];
}

/** One site with its journal over all rounds, and the agent that is killed in it again and again. */
export class Lane {
  readonly site: TestSite;
  readonly #seeded: Seeded;
  /** Processes of units that died with their node: what they had begun is begun again. */
  readonly #victims = new Set<string>();
  #agent: AgentChild | null = null;
  #isOver = false;

  constructor(folder: string, scheduler: Record<string, unknown>, seeded: Seeded) {
    this.#seeded = seeded;
    this.site = new TestSite(folder, {
      scheduler,
      limits: { tasksPerArray: 2, memoryMb: 100, timeLimitMinutes: 5 },
      // A claim that a starved host leaves untouched for as long counts as abandoned: not too short for twenty lanes.
      intervals: { reconcileSeconds: 0.5, heartbeatSeconds: 1, claimHeartbeatSeconds: 0.5, claimStaleSeconds: 10 },
    });
  }

  /** Sends a batch, kills the agent on its way, and gives what became of every part once it is answered. */
  async round(number: number): Promise<RoundOutcome> {
    const name = `round-${number}`;
    const message = await this.site.estimate(name, UNITS);
    const extraMessages = this.#seeded.number(`${name} copies`, 3);
    for (let copy = 0; copy <= extraMessages; copy += 1) this.site.cloud.send(message);
    const second = { ...message, taskToken: `${message.taskToken}, again` };
    this.site.cloud.send(second);
    const tokens = [message.taskToken, second.taskToken];
    const killedAt = await this.#live(FAULT_POINTS[number % FAULT_POINTS.length] ?? '', tokens);
    return { killedAt, extraMessages, ...(await this.#assess(message, tokens)) };
  }

  /** Ends the agent as an operator does. */
  async end(): Promise<void> {
    this.#agent?.kill('SIGTERM');
    await this.#agent?.ended();
    this.#agent = null;
  }

  /** Says that these processes were killed from outside, as a node's are when it dies. */
  mourn(pids: readonly string[]): void {
    for (const pid of pids) this.#victims.add(pid);
  }

  /** For good: no agent starts here any more. */
  stop(): void {
    this.#isOver = true;
    this.#agent?.kill('SIGKILL');
  }

  #startAgent(faultPoint?: string): AgentChild {
    if (this.#isOver) throw new Error('the lane is over');
    this.#agent = new AgentChild(this.site, faultPoint);
    return this.#agent;
  }

  async #live(faultPoint: string, tokens: readonly string[]): Promise<string | null> {
    await this.end();
    const end = Date.now() + PATIENCE_SECONDS * 1000;
    const agent = this.#startAgent(faultPoint);
    let status: number | string | null = null;
    const watched = agent.ended().then((how) => {
      status = how;
    });
    while (status === null && !this.#isAnswered(tokens) && Date.now() < end) await sleep(100);
    // The last transitions come just after the answer.
    await Promise.race([watched, sleep(1500)]);
    if (status === null) return null;
    if (status !== 'SIGKILL') throw new Error(`the agent ended by itself: ${status}`);
    this.#startAgent();
    while (!this.#isAnswered(tokens) && Date.now() < end) await sleep(100);
    return faultPoint;
  }

  #isAnswered(tokens: readonly string[]): boolean {
    const answered = new Set(this.site.cloud.answers().map(({ token }) => token));
    return tokens.every((token) => answered.has(token)) && this.site.cloud.queued() === 0;
  }

  async #assess(message: JobMessage, tokens: readonly string[]) {
    const wrong: string[] = [];
    let [lost, duplicated] = [0, 0];
    const compare = (what: string, found: number, expected: number) => {
      if (found === expected) return;
      wrong.push(`${what}: ${found} instead of ${expected}`);
      if (found < expected) lost += expected - found;
      else duplicated += found - expected;
    };
    const answers = this.site.cloud.answers();
    for (const token of tokens)
      compare(`answers to ${token}`, answers.filter((answer) => answer.token === token).length, 1);
    const outputs = await this.#outputs(message);
    const [starts, records] = [this.site.worked('start'), this.site.worked('record')];
    for (const [index, { partId }] of (await this.#plan(message)).entries()) {
      const expected = UNITS[index];
      if (expected === undefined) continue;
      const times = (ids: readonly string[]) => ids.filter((id) => id === partId).length;
      const what = `${message.outputPrefix} part ${index} (${expected.behave ?? 'succeed'})`;
      compare(`${what}, outputs`, times(outputs), expected.behave === 'science' ? 0 : 1);
      compare(`${what}, records`, times(records), expected.records);
      const killed = this.#killedStarts(partId);
      compare(`${what}, starts`, times(starts) - killed, expected.starts);
    }
    return { lost, duplicated, wrong };
  }

  /** Starts of a unit by processes that were killed with their node before it had its record. */
  #killedStarts(partId: string): number {
    const ofPart = ({ unitId }: { readonly unitId: string }) => unitId === partId;
    const ended = new Set(
      this.site
        .recordedBy()
        .filter(ofPart)
        .map(({ pid }) => pid),
    );
    // One that was asked to die, and did so before its node, is expected.
    const died = this.site.diedItself(partId);
    const starts = this.site.startedBy().filter(ofPart);
    return starts.filter(({ pid }) => this.#victims.has(pid) && !ended.has(pid) && pid !== died).length;
  }

  async #outputs(message: JobMessage): Promise<readonly string[]> {
    const bytes = await this.site.cloud.lake.getBytes(`${message.outputPrefix}/result.json`);
    if (bytes === null) return [];
    return jobResultSchema.parse(JSON.parse(Buffer.from(bytes).toString())).outputs.map(({ unitId }) => unitId);
  }

  async #plan(message: JobMessage): Promise<readonly BatchPart[]> {
    if (message.kind !== 'estimate') return [];
    const bytes = await this.site.cloud.lake.getBytes(message.batch.key);
    return batchSchema.parse(JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString())).parts;
  }
}
