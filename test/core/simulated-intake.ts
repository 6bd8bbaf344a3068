import { MemoryTable } from '#adapters/memory-table.ts';
import { campaignName, planDigest, readChunkSet } from '#core/campaign.ts';
import { awaitsDigest, CHUNK_PREFIX, type ChunkRow, chunkRowSchema } from '#core/chunk.ts';
import { claimChunk, moveChunk, readExpected, readRelease } from '#core/chunk-book.ts';
import { type Settlement, settleChunk } from '#core/chunk-settlement.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { TransientError } from '#core/errors.ts';
import {
  type ChunkExecution,
  campaignExecutionName,
  chunkExecutionSchema,
  type IntakeRequest,
  startChunk,
  uploadExecutionName,
} from '#core/intake.ts';
import { isDigestKnown, judgeChunk, judgeOrigin, type TableFacts } from '#core/integrity.ts';
import { CHUNK_LIFE_CYCLE } from '#core/life-cycle.ts';
import { ingestManifest } from '#core/manifest-book.ts';
import { type ObjectHead, type Started, startOrRetry, type Workflow } from '#core/ports.ts';
import { isComplete } from '#core/release.ts';
import type { Item, Table } from '#core/table.ts';
import { magnitudeProfile, registerSample, sampleSpec } from '#test/core/sample-release.ts';
import { Killed, Stepping, steppingTable, watchedTable } from '#test/core/stepping.ts';

export const RELEASE = sampleSpec.release;
const ROWS = 7;
const SUMMARY = { key: 'chunks/x.look', sha256: sha256('summary'), sizeBytes: 1, offsetBytes: 0 };
const NOW = new Date('2026-01-01T00:00:00Z');
/** Attempts of a step before its execution has failed (infra/lambda-step.ts has five). */
const ATTEMPTS = 2;

/** `D` is damaged. */
export type Content = 'A' | 'B' | 'D';
export const digestOfContent = (name: string, content: Content): Digest => sha256(`${name} ${content}`);

interface Upload {
  readonly content: Content;
  readonly declared: Digest | null;
  readonly etag: string;
  readonly versionId: string;
}

type Message = IntakeRequest | { readonly kind: 'manifest' };
type Step = () => Promise<void>;
type Status = 'running' | 'succeeded' | 'failed';

/**
 * The intake around the real books: a bucket, at-least-once messages, and state machines whose functions die between
 * any two calls and are tried again. It mirrors functions/{intake,inspect,record-chunk,manifest}.ts without their services.
 */
export class SimulatedIntake {
  readonly table: Table = watchedTable(new MemoryTable(), (before, after) => this.#watch(before, after));
  /** Changes of a chunk's state that the life cycle does not have. */
  readonly illegalMoves: string[] = [];
  readonly stepping = new Stepping();
  readonly landing = new Map<string, Upload>();
  readonly versions = new Map<string, Upload>();
  readonly executions = new Map<string, Status>();
  readonly plansStarted = new Set<string>();
  /** Names whose executions failed: what an operator is called for. */
  readonly failedNames = new Set<string>();
  readonly #manifests: Uint8Array[] = [];
  #versions = 0;

  static async open(): Promise<SimulatedIntake> {
    const intake = new SimulatedIntake();
    await registerSample(intake.table);
    return intake;
  }

  /** A claim is a new row, or a revival or a retry that is checked at once; everything else is an arrow of the table. */
  #watch(before: Item | null, after: Item | null): void {
    if (!after?.sk.startsWith(CHUNK_PREFIX)) return;
    const to = chunkRowSchema.parse(after).state;
    const from = before ? chunkRowSchema.parse(before).state : null;
    const anew =
      from === null || from === 'superseded' || (before !== null && awaitsDigest(chunkRowSchema.parse(before)));
    const arrows: readonly string[] = [
      ...(anew ? ['checking'] : []),
      ...(from === null || from === 'superseded' ? [] : Object.values(CHUNK_LIFE_CYCLE[from])),
    ];
    if (to !== from && !arrows.includes(to)) this.illegalMoves.push(`${from} -> ${to}`);
  }

  /** @param parts an upload in parts has another etag for the same content */
  upload(name: string, content: Content, declared: boolean, parts = 1): void {
    this.#versions += 1;
    const honest = digestOfContent(name, content === 'D' ? 'A' : content);
    const versionId = String(this.#versions);
    const etag = `"${sha256(`${name} ${content}`).slice(0, 8)}-${parts}"`;
    const upload: Upload = { content, declared: declared ? honest : null, etag, versionId };
    this.versions.set(versionId, upload);
    this.landing.set(name, upload);
    this.send({ version: 1, kind: 'chunk', release: RELEASE, name });
  }

  uploadManifest(names: readonly string[]): void {
    const chunks = names.map((name) => ({
      name,
      sha256: digestOfContent(name, 'A'),
      sizeBytes: 1,
      rows: ROWS,
    }));
    const manifest = {
      version: 1,
      release: RELEASE,
      profile: magnitudeProfile.name,
      keyNumbers: { rows: ROWS * names.length },
      chunks,
    };
    this.#versions += 1;
    this.#manifests.push(new TextEncoder().encode(JSON.stringify(manifest)));
    this.send({ kind: 'manifest' });
  }

  /** A message is delivered until somebody has handled it. */
  send(message: Message): void {
    this.stepping.start(async (step) => {
      for (;;) {
        try {
          await step();
          return await this.#take(message, step);
        } catch (error) {
          if (!(error instanceof Killed)) throw error;
        }
      }
    });
  }

  async #take(message: Message, step: Step): Promise<void> {
    const table = steppingTable(this.table, step);
    if (message.kind === 'campaign') return this.#takeCampaign(table, step);
    const { specDigest } = await readRelease(table, RELEASE);
    if (message.kind === 'manifest') {
      const head = { ...EMPTY_HEAD, versionId: String(this.#manifests.length) };
      const name = uploadExecutionName('manifest', RELEASE, 'manifest.json', head, { specDigest });
      await startOrRetry(this.#machine(step, 'manifest'), name, (execution) => ({
        kind: 'manifest',
        release: RELEASE,
        execution,
      }));
      return;
    }
    await step();
    const upload = this.landing.get(message.name);
    if (!upload) return;
    const { declared, etag, versionId } = upload;
    const head: ObjectHead = { ...EMPTY_HEAD, etag, versionId, declaredSha256: declared };
    await startChunk(this.#machine(step, message.name), message, head, specDigest);
  }

  async #takeCampaign(table: Table, step: Step): Promise<void> {
    const release = await readRelease(table, RELEASE);
    if (!isComplete(release)) return;
    const plan = planDigest(release, await readChunkSet(table, RELEASE));
    await step();
    this.plansStarted.add(campaignExecutionName(plan) + campaignName(release, plan));
  }

  /** A state machine: starts executions by name, once. */
  #machine(step: Step, name: string): Workflow {
    return {
      isRunning: async (execution) => {
        await step();
        return this.executions.get(execution) === 'running';
      },
      start: async (execution, input): Promise<Started> => {
        await step();
        const status = this.executions.get(execution);
        if (status) return status === 'failed' ? 'endedBadly' : 'alreadyStarted';
        this.executions.set(execution, 'running');
        this.#execute(chunkExecutionSchema.parse(input), name);
        return 'started';
      },
    };
  }

  #execute(input: ChunkExecution, name: string): void {
    const { execution } = input;
    const attempted = async <T>(step: Step, work: () => Promise<T>): Promise<T> => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await step();
          return await work();
        } catch (error) {
          if (!(error instanceof Killed) && !(error instanceof TransientError)) throw error;
          if (attempt < ATTEMPTS) continue;
          this.executions.set(execution, 'failed');
          this.failedNames.add(name);
          throw new Killed('the execution failed');
        }
      }
    };
    this.stepping.start(async (step) => {
      const table = steppingTable(this.table, step);
      if (input.kind === 'manifest') await attempted(step, () => this.#manifest(table));
      else {
        await attempted(step, async () => {
          const inspected = await this.#inspect(table, step, input);
          if (inspected) await this.#record(table, step, inspected);
        });
      }
      this.executions.set(execution, 'succeeded');
    });
  }

  async #inspect(table: Table, step: Step, input: Extract<ChunkExecution, { kind: 'chunk' }>) {
    const { name, versionId } = input;
    await step();
    const file = this.versions.get(versionId ?? '');
    if (!file) return null;
    const sha = digestOfContent(name, file.content);
    const manifest = await readExpected(table, RELEASE, name);
    const expected = { declaredSha256: file.declared, manifest };
    const digestKnown = isDigestKnown(expected);
    const about = { sha256: sha, sizeBytes: 1, etag: file.etag, digestKnown, now: NOW };
    const claim = await claimChunk(table, { ...input, ...about });
    if (claim.kind === 'held') {
      await step();
      this.send({ version: 1, kind: 'chunk', release: RELEASE, name, heldBy: claim.by });
    }
    if (claim.kind === 'settled' && claim.again) await this.#tellOf(table, step, claim.chunk, true);
    if (claim.kind !== 'claimed') return null;
    const { chunk } = claim;
    const facts = {
      sha256: sha,
      sizeBytes: 1,
      table: file.content === 'D' ? null : GOOD_TABLE,
      reason: file.content === 'D' ? 'it is cut off' : null,
    };
    const integrity = judgeChunk(facts, expected, magnitudeProfile);
    const findings = integrity.length > 0 ? integrity : judgeOrigin(expected, magnitudeProfile, []);
    const settlement: Settlement =
      findings.length > 0
        ? { outcome: 'quarantined', findings }
        : { outcome: 'skinny', rows: ROWS, recipeDigest: sha256('recipe'), parts: [], findings: [], summary: SUMMARY };
    if (settlement.outcome === 'skinny') {
      const accepted = await moveChunk(table, chunk, 'accept');
      const deriving = accepted && (await moveChunk(table, accepted, 'derive'));
      if (!deriving) throw new TransientError('claim lost', { code: 'CLAIM_LOST', hint: '' });
    }
    return { chunk, settlement };
  }

  async #record(table: Table, step: Step, { chunk, settlement }: { chunk: ChunkRow; settlement: Settlement }) {
    const { lookAgain } = await settleChunk(table, {
      chunk,
      settlement,
      seconds: 1,
      now: NOW,
      currentEtag: async () => {
        await step();
        return this.landing.get(chunk.name)?.etag ?? null;
      },
    });
    await this.#tellOf(table, step, chunk, lookAgain);
  }

  async #tellOf(table: Table, step: Step, { name, execution }: ChunkRow, lookAgain: boolean): Promise<void> {
    if (lookAgain) {
      await step();
      this.send({ version: 1, kind: 'chunk', release: RELEASE, name, after: execution });
    }
    await this.#askForCampaign(table, step);
  }

  async #manifest(table: Table): Promise<void> {
    const bytes = this.#manifests.at(-1);
    if (!bytes) return;
    await ingestManifest(table, RELEASE, bytes, sha256(bytes), {
      onRefused: async () => undefined,
      onVerified: async ({ name }) =>
        this.send({ version: 1, kind: 'chunk', release: RELEASE, name, after: `manifest ${sha256(bytes)}` }),
    });
    await this.#askForCampaign(table, async () => undefined);
  }

  async #askForCampaign(table: Table, step: Step): Promise<void> {
    if (!isComplete(await readRelease(table, RELEASE))) return;
    await step();
    this.send({ version: 1, kind: 'campaign', release: RELEASE });
  }
}

const EMPTY_HEAD: ObjectHead = { sizeBytes: 1, etag: '', versionId: null, declaredSha256: null, storedSha256: null };

const GOOD_TABLE: TableFacts = {
  rows: ROWS,
  columns: new Map([
    ['id', 'BIGINT'],
    ...['ra', 'dec', ...['u', 'g', 'r', 'i', 'z', 'y'].flatMap((band) => [`m_${band}`, `e_${band}`])].map(
      (name): [string, string] => [name, 'DOUBLE'],
    ),
  ]),
  keys: { nullIds: 0, duplicateIds: 0, badCoordinates: 0 },
};
