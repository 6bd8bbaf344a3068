import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { fileDigest } from '#adapters/file-digest.ts';
import type { JobCallback } from '#core/callback.ts';
import { type Digest, sha256 } from '#core/digest.ts';
import { InputError, TransientError } from '#core/errors.ts';
import type { JobAnswer, JobMessage, ObjectRef } from '#core/job.ts';
import type { JobQueue, QueuedMessage } from '#core/job-queue.ts';
import type { ObjectHead, ObjectStore } from '#core/ports.ts';

/** Short, so that a message whose receiver was killed comes again within a test. */
const VISIBILITY_MILLISECONDS = 700;

const queuedSchema = z.object({ body: z.string(), visibleAt: z.number() });
const answerSchema = z.object({ token: z.string(), kind: z.enum(['success', 'failure']), body: z.unknown() });
export type Answer = z.infer<typeof answerSchema>;

/**
 * Queue, callback and lake as folders: real parts that a killed process and its successor share. Like the real ones it
 * delivers at least once, forgets nothing, and knows tokens that nobody waits for.
 */
export class FolderCloud {
  readonly root: string;
  readonly queue: JobQueue;
  readonly callback: JobCallback;
  readonly lake: ObjectStore;

  constructor(root: string) {
    this.root = root;
    for (const name of ['queue', 'answers', 'gone', 'heartbeats', 'lake'])
      mkdirSync(join(root, name), { recursive: true });
    this.queue = new FolderQueue(join(root, 'queue'));
    this.callback = new FolderCallback(root);
    this.lake = new FolderLake(join(root, 'lake'));
  }

  send(body: JobMessage | string): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    writeWhole(join(this.root, 'queue', `${randomUUID()}.json`), JSON.stringify({ body: text, visibleAt: 0 }));
  }

  queued(): number {
    return readdirSync(join(this.root, 'queue')).filter((name) => name.endsWith('.json')).length;
  }

  /** All calls, also repeated ones. */
  answers(): readonly Answer[] {
    return readdirSync(join(this.root, 'answers'))
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => answerSchema.parse(JSON.parse(readFileSync(join(this.root, 'answers', name), 'utf8'))));
  }

  heartbeats(token: string): number {
    const path = join(this.root, 'heartbeats', sha256(token));
    return existsSync(path) ? readFileSync(path, 'utf8').length : 0;
  }

  /** From now on nobody waits for this token. */
  forget(token: string): void {
    writeFileSync(join(this.root, 'gone', sha256(token)), '');
  }

  async put(key: string, content: unknown): Promise<ObjectRef> {
    return this.lake.putBytes(key, Buffer.from(JSON.stringify(content)), 'application/json');
  }
}

class FolderQueue implements JobQueue {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async receive(maximum: number, signal: AbortSignal): Promise<readonly QueuedMessage[]> {
    for (let round = 0; round < 100 && !signal.aborted; round += 1) {
      const found: QueuedMessage[] = [];
      for (const name of readdirSync(this.#folder).filter((file) => file.endsWith('.json'))) {
        const path = join(this.#folder, name);
        const { body, visibleAt } = queuedSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
        if (visibleAt > Date.now() || found.length === maximum) continue;
        writeWhole(path, JSON.stringify({ body, visibleAt: Date.now() + VISIBILITY_MILLISECONDS }));
        found.push({ body, receipt: path });
      }
      if (found.length > 0) return found;
      await sleep(20);
    }
    return [];
  }

  async waiting(): Promise<number> {
    return readdirSync(this.#folder).length;
  }

  async giveBack({ body, receipt }: QueuedMessage, seconds: number): Promise<void> {
    writeWhole(receipt, JSON.stringify({ body, visibleAt: Date.now() + seconds * 1000 }));
  }

  async remove({ receipt }: QueuedMessage): Promise<void> {
    rmSync(receipt, { force: true });
  }
}

class FolderCallback implements JobCallback {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async succeed(token: string, answer: JobAnswer): Promise<boolean> {
    return this.#answer({ token, kind: 'success', body: answer });
  }

  async fail(token: string, error: string, cause: string): Promise<boolean> {
    return this.#answer({ token, kind: 'failure', body: { error, cause } });
  }

  async heartbeat(token: string): Promise<boolean> {
    if (this.#isGone(token)) return false;
    writeFileSync(join(this.#root, 'heartbeats', sha256(token)), '.', { flag: 'a' });
    return true;
  }

  #answer(answer: Answer): boolean {
    if (this.#isGone(answer.token)) return false;
    writeWhole(join(this.#root, 'answers', `${Date.now()}-${randomUUID()}.json`), JSON.stringify(answer));
    writeFileSync(join(this.#root, 'gone', sha256(answer.token)), '');
    return true;
  }

  #isGone(token: string): boolean {
    return existsSync(join(this.#root, 'gone', sha256(token)));
  }
}

class FolderLake implements ObjectStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async putFile(key: string, path: string, digest: Digest): Promise<ObjectRef> {
    if ((await fileDigest(path)) !== digest) throw new Error(`BadDigest: ${key}`);
    return this.putBytes(key, readFileSync(path));
  }

  async putBytes(key: string, bytes: Uint8Array): Promise<ObjectRef> {
    mkdirSync(dirname(this.#path(key)), { recursive: true });
    writeWhole(this.#path(key), bytes);
    return { key, sha256: sha256(bytes), sizeBytes: bytes.byteLength };
  }

  async getFile(key: string, path: string, expected?: Digest) {
    if (!existsSync(this.#path(key))) throw new InputError(`no object ${key}`, { code: 'OBJECT_MISSING', hint: '' });
    await copyFile(this.#path(key), path);
    const digest = await fileDigest(path);
    if (expected !== undefined && digest !== expected) {
      rmSync(path);
      throw new TransientError(`${key} is damaged`, { code: 'DIGEST_MISMATCH', hint: '' });
    }
    return { sha256: digest, sizeBytes: statSync(path).size, etag: digest };
  }

  async getBytes(key: string): Promise<Uint8Array | null> {
    return existsSync(this.#path(key)) ? readFileSync(this.#path(key)) : null;
  }

  async head(key: string): Promise<ObjectHead | null> {
    const bytes = await this.getBytes(key);
    if (bytes === null) return null;
    const digest = sha256(bytes);
    return { sizeBytes: bytes.byteLength, etag: digest, versionId: null, declaredSha256: digest, storedSha256: digest };
  }

  list(): never {
    throw new Error('the agent never lists');
  }

  #path(key: string): string {
    return join(this.#folder, key);
  }
}

/** A reader in another process sees the old or the new file, never half of one. */
function writeWhole(path: string, content: string | Uint8Array): void {
  const draft = `${path}.${randomUUID()}.tmp`;
  writeFileSync(draft, content);
  renameSync(draft, path);
}
