/** `node chaos/intake-cases.ts FOLDER SEED FROM END`: damages files and has them looked at, a line of JSON each. */
import { MutationCampaign } from '#test/intake/mutations.ts';

const [folder = '', seed = '', from = '', end = ''] = process.argv.slice(2);
const campaign = await MutationCampaign.open(folder);
for (let number = Number(from); number < Number(end); number += 1) {
  process.stdout.write(`${JSON.stringify(await campaign.run(seed, number))}\n`);
}
