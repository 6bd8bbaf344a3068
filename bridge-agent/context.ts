import type { Logger } from 'pino';
import type { Journal } from '#adapters/journal.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import type { Scratch } from '#bridge-agent/scratch.ts';
import type { SiteLeases } from '#bridge-agent/site-leases.ts';
import type { JobCallback } from '#core/callback.ts';
import type { Digest } from '#core/digest.ts';
import type { JobQueue } from '#core/job-queue.ts';
import type { Clock, ObjectStore } from '#core/ports.ts';
import type { Scheduler } from '#core/scheduler.ts';
import type { Table } from '#core/table.ts';

/** The outside of the agent, passed in so that a test can choose it. */
export interface AgentParts {
  readonly lake: ObjectStore;
  readonly queue: JobQueue;
  readonly callback: JobCallback;
  readonly scheduler: Scheduler;
  /** Where sites that share a queue say who works on what; null at the only site. */
  readonly leaseTable: Table | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Registered algorithms by name: the digest of the configuration that may run here. */
  readonly algorithms: ReadonlyMap<string, Digest>;
  /** Called at every transition of the journal, and around acts; tests end the process there. */
  readonly faultPoint?: (name: string) => void;
}

export interface AgentContext extends AgentParts {
  readonly configuration: AgentConfiguration;
  readonly journal: Journal;
  readonly scratch: Scratch;
  readonly leases: SiteLeases;
  /** When each open work last gave a sign of life, in milliseconds. */
  readonly signsOfLife: Map<Digest, number>;
  /** Fires when the agent shall stop; the jobs themselves go on. */
  readonly signal: AbortSignal;
  /** Fires when the agent shall take nothing more, and stop once everything it took is answered. */
  readonly draining: AbortSignal;
}
