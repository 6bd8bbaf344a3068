/**
 * `node deliver-child.ts FOLDER DESTINATIONS PIECES MILLISECONDS`: delivers, and kills itself so long after so many
 * pieces arrived.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { deliverCollection, destinationsSchema } from '#cli/operations/deliver-collection.ts';

const [folder = '', file = '', pieces = '0', milliseconds = '0'] = process.argv.slice(2);
let left = Number(pieces);
const { destinations } = destinationsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
const sizes = new Map<string, number>();
const outcomes = await deliverCollection(folder, destinations, {
  now: new Date('2026-01-02T03:04:05Z'),
  onProgress: (destination, { doneBytes }) => {
    if (sizes.get(destination) === doneBytes) return;
    sizes.set(destination, doneBytes);
    left -= 1;
    if (left === 0) void sleep(Number(milliseconds)).then(() => process.kill(process.pid, 'SIGKILL'));
  },
});
process.stdout.write(JSON.stringify(outcomes));
