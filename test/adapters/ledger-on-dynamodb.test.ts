import { afterAll, beforeAll, expect, it } from 'vitest';
import { DynamoDbTable } from '#adapters/dynamodb-table.ts';
import { CloudUnderTest } from '#test/conformance/cloud-under-test.ts';
import { reserveAtOnce, seeded } from '#test/core/many-reservers.ts';

/** PONTE_ROUNDS=200 is the long form: some minutes. */
const ROUNDS = Number(process.env.PONTE_ROUNDS ?? 4);

let cloud: CloudUnderTest;
let table: DynamoDbTable;
beforeAll(async () => {
  cloud = await CloudUnderTest.start();
  table = new DynamoDbTable(cloud.dynamodb, await cloud.table());
});
afterAll(() => cloud.remove());

it(`64 reservers at once on the local cloud, ${ROUNDS} rounds: never over a cap, nothing left held`, async () => {
  let [leased, refused] = [0, 0];
  for (let round = 0; round < ROUNDS; round += 1) {
    const answers = await reserveAtOnce(table, `c${round}`, seeded(round));
    leased += answers.leased;
    refused += answers.refused;
  }
  expect(leased).toBeGreaterThan(ROUNDS);
  expect(refused).toBeGreaterThan(ROUNDS);
}, 1_800_000);
