import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Work } from '#adapters/journal-rows.ts';
import type { Scratch } from '#bridge-agent/scratch.ts';
import type { Digest } from '#core/digest.ts';
import type { ObjectRef } from '#core/job.ts';
import { endSiteLease, readSiteLease, renewSiteLease, type SiteLease, takeSiteLease } from '#core/site-lease.ts';
import type { Table } from '#core/table.ts';

/** What part of a lease a site may act on after its last renewal; the rest is for what is on its way, and for its jobs to end. */
const OWN_SHARE = 2 / 3;

export interface SiteLeaseOptions {
  /** Null at the only site of its queue: then everything is its own. */
  readonly table: Table | null;
  readonly site: string;
  /** How long a holder may be silent before another site takes over. */
  readonly seconds: number;
  readonly scratch: Scratch;
}

/** Milliseconds of a clock that nobody sets. */
const ticks = () => performance.now();

/** The works that this site may act on, while other sites pull from the same queue. What it knows is read again after a restart. */
export class SiteLeases {
  readonly #options: SiteLeaseOptions;
  /** `trustedAt`: when the last renewal that was granted was asked for. */
  readonly #mine = new Map<Digest, { readonly fence: number; readonly trustedAt: number }>();
  /** What others hold, and since when it looks like this. */
  readonly #seen = new Map<Digest, { readonly lease: SiteLease; readonly since: number }>();

  constructor(options: SiteLeaseOptions) {
    this.#options = options;
  }

  /** How long jobs may go on without a sign of their agent, in seconds; null when they may for ever. */
  get jobSeconds(): number | null {
    const { table, seconds } = this.#options;
    return table === null ? null : seconds * OWN_SHARE;
  }

  /** Where a result goes: apart by fence, so that a fenced site cannot write over the one that counts. */
  resultKey({ work_key, message }: Pick<Work, 'work_key' | 'message'>): string {
    const fence = this.#mine.get(work_key)?.fence;
    return `${message.outputPrefix}/result${fence === undefined ? '' : `-${fence}`}.json`;
  }

  /** The key of the result that counts, of whichever site; null when there is none. */
  async findResult({ work_key, message }: Pick<Work, 'work_key' | 'message'>): Promise<string | null> {
    const { table } = this.#options;
    if (table === null) return `${message.outputPrefix}/result.json`;
    const lease = await readSiteLease(table, work_key);
    return lease?.state === 'done' ? (lease.result?.key ?? null) : null;
  }

  /**
   * Tries to have a work. `elsewhere`: another site holds it; `moves` says whether that one has shown life since the
   * last look.
   */
  async take(work: Work): Promise<{ readonly kind: 'mine' } | { readonly kind: 'elsewhere'; readonly moves: boolean }> {
    const { table, site, seconds } = this.#options;
    if (table === null || this.isMine(work.work_key)) return { kind: 'mine' };
    const asked = ticks();
    const known = this.#seen.get(work.work_key);
    const silent = known && ticks() - known.since > known.lease.seconds * 1000 ? known.lease : null;
    const lease = await takeSiteLease(table, work.work_key, { site, seconds }, silent);
    if (lease !== null) {
      this.#trust(work, lease.fence, asked);
      return { kind: 'mine' };
    }
    const other = await readSiteLease(table, work.work_key);
    const same = other?.fence === known?.lease.fence && other?.beat === known?.lease.beat;
    if (other !== null && !(known && same)) this.#seen.set(work.work_key, { lease: other, since: ticks() });
    return { kind: 'elsewhere', moves: !same };
  }

  /** Shows life to the other sites. False once another one has taken the work over; an error decides nothing. */
  async renew(work: Work): Promise<boolean> {
    const { table, site } = this.#options;
    if (table === null) return true;
    const asked = ticks();
    const probe = this.#probe(work);
    const fence = this.#mine.get(work.work_key)?.fence ?? (await this.#fenceBefore(work.work_key));
    const held = fence !== null && (await renewSiteLease(table, work.work_key, site, fence));
    if (held) this.#trust(work, fence, asked, probe);
    else this.#mine.delete(work.work_key);
    return held || (await this.#isEnded(work.work_key));
  }

  /** Whether this site may start something for a work, or answer for it, at this moment. */
  isMine(workKey: Digest): boolean {
    const { table, seconds } = this.#options;
    if (table === null) return true;
    const mine = this.#mine.get(workKey);
    return mine !== undefined && ticks() - mine.trustedAt < seconds * OWN_SHARE * 1000;
  }

  /** Whether jobs may be submitted: they stop by themselves when the file that shows the lease grows old. */
  mayStart(work: Work): boolean {
    const shown = this.#options.table === null || existsSync(this.#options.scratch.folder(work).leaseFile);
    return shown && this.isMine(work.work_key);
  }

  /** Whether the result counts: false when another site has taken the work over. */
  finish(workKey: Digest, result: ObjectRef): Promise<boolean> {
    return this.#end(workKey, result);
  }

  /** Lets other sites have it at once. */
  async free(workKey: Digest): Promise<void> {
    await this.#end(workKey, null);
  }

  async #end(workKey: Digest, result: ObjectRef | null): Promise<boolean> {
    const { table, site } = this.#options;
    if (table === null) return true;
    const fence = this.#mine.get(workKey)?.fence;
    this.#seen.delete(workKey);
    if (fence === undefined) return false;
    const ended = await endSiteLease(table, workKey, { site, fence }, result);
    this.#mine.delete(workKey);
    return ended;
  }

  /** The fence of an earlier life of this agent. */
  async #fenceBefore(workKey: Digest): Promise<number | null> {
    const { table, site } = this.#options;
    const lease = table === null ? null : await readSiteLease(table, workKey);
    return lease?.site === site ? lease.fence : null;
  }

  /** Killed between the end of the lease and its commit, this site finds its own result. */
  async #isEnded(workKey: Digest): Promise<boolean> {
    const { table, site } = this.#options;
    const lease = table === null ? null : await readSiteLease(table, workKey);
    return lease?.site === site && lease.state === 'done';
  }

  #trust(work: Work, fence: number, trustedAt: number, probe: string | null = null): void {
    this.#mine.set(work.work_key, { fence, trustedAt });
    this.#seen.delete(work.work_key);
    const folder = this.#options.scratch.folder(work);
    if (probe !== null && existsSync(probe)) renameSync(probe, folder.leaseFile);
  }

  /** Made before the renewal is asked for, so that its time, which the job side reads, is never later than the lease's. */
  #probe(work: Work): string | null {
    const { root } = this.#options.scratch.folder(work);
    if (!existsSync(root)) return null;
    const path = join(root, '.lease.agent');
    writeFileSync(path, '');
    return path;
  }
}
