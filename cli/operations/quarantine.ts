import type { Cloud } from '#cli/context.ts';
import { chunksOf } from '#cli/operations/look.ts';
import type { ChunkRow } from '#core/chunk.ts';
import { InputError } from '#core/errors.ts';
import type { IntakeRequest } from '#core/intake.ts';
import type { ObjectHead } from '#core/ports.ts';
import { type AuditRow, auditOf, decideQuarantine, type QuarantineAction } from '#core/quarantine-book.ts';
import { chunkObjectKey } from '#core/release.ts';

export interface QuarantineView {
  readonly chunks: readonly ChunkRow[];
  readonly audit: readonly AuditRow[];
}

/** The chunks in quarantine, without those that were discarded unless asked for, and every decision so far. */
export async function viewQuarantine(
  cloud: Pick<Cloud, 'table'>,
  release: string,
  options: { readonly all: boolean },
): Promise<QuarantineView> {
  const audit: AuditRow[] = [];
  for await (const row of auditOf(cloud.table, release)) audit.push(row);
  const chunks: ChunkRow[] = [];
  for await (const chunk of chunksOf(cloud, release)) {
    const discarded = chunk.decision?.action === 'discard';
    if (chunk.state === 'quarantined' && (options.all || !discarded)) chunks.push(chunk);
  }
  return { chunks: chunks.sort((a, b) => (a.name < b.name ? -1 : 1)), audit };
}

/** Of the landing bucket no more is needed than a look. */
interface Landing {
  readonly landing: { head(key: string): Promise<Pick<ObjectHead, 'etag' | 'declaredSha256'> | null> };
}

export interface QuarantineRequest {
  readonly release: string;
  /** A chunk's name, or the first 8 digits or more of its id. */
  readonly chunk: string;
  readonly action: QuarantineAction;
  readonly why: string;
}

/**
 * Decides on one chunk, under the identity that signs the call; for `retry` and `release` it also asks for another look.
 * @throws {InputError} when there is no such chunk in quarantine, or nothing can be decided about it so.
 */
export async function decideOn(
  cloud: Pick<Cloud, 'table' | 'intake' | 'identity'> & Landing,
  request: QuarantineRequest,
): Promise<AuditRow> {
  const { release, action, why } = request;
  if (why.trim() === '') throw refused('a decision needs a reason', 'Say it with --why.');
  const chunk = await findChunk(cloud, request);
  if (action !== 'discard') await checkStillThere(cloud, chunk);
  const decided = await decideQuarantine(cloud.table, {
    release,
    chunkId: chunk.chunkId,
    action,
    who: await cloud.identity(),
    why,
    now: new Date(),
  });
  if (decided.kind === 'refused')
    throw refused(decided.reason, `ponte quarantine list ${release} shows what is there.`);
  if (action !== 'discard') {
    // The time makes the look a new one, whoever looked at this content before.
    const after = `${action} ${decided.audit.at}`;
    const look: IntakeRequest = { version: 1, kind: 'chunk', release, name: chunk.name, after };
    await cloud.intake.send(look);
  }
  return decided.audit;
}

async function findChunk(cloud: Pick<Cloud, 'table'>, { release, chunk }: QuarantineRequest): Promise<ChunkRow> {
  const matching: ChunkRow[] = [];
  for await (const row of chunksOf(cloud, release)) {
    const named = row.name === chunk || (chunk.length >= 8 && row.chunkId.startsWith(chunk));
    if (named && ['quarantined', 'received'].includes(row.state)) matching.push(row);
  }
  const [only] = matching;
  if (only && matching.length === 1) return only;
  throw refused(
    `${matching.length === 0 ? 'no' : 'more than one'} chunk in the quarantine of ${release} answers to ${chunk}`,
    matching.length === 0
      ? `ponte quarantine list ${release} shows what is there.`
      : `Name it by its id: ${matching.map(({ chunkId }) => chunkId.slice(0, 12)).join(', ')}`,
  );
}

/** Another look reads the landing bucket: it would be at another file if one lies there by now. */
async function checkStillThere({ landing }: Landing, chunk: ChunkRow): Promise<void> {
  const head = await landing.head(chunkObjectKey(chunk.release, chunk.name));
  if (head && (head.etag === chunk.etag || head.declaredSha256 === chunk.sha256)) return;
  throw refused(
    `${head ? 'another file lies' : 'no file lies any more'} under the name ${chunk.name}`,
    'Upload the file that is meant under that name: an upload is looked at by itself.',
  );
}

const refused = (message: string, hint: string) => new InputError(message, { code: 'QUARANTINE_REFUSED', hint });
