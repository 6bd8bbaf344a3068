import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { Journal } from '#adapters/journal.ts';
import type { AgentConfiguration } from '#bridge-agent/configuration.ts';
import { runAgentWith } from '#bridge-agent/daemon.ts';
import { profiles, profileText, readMeasurements } from '#bridge-agent/profile.ts';
import { sha256 } from '#core/digest.ts';
import { jobAnswerSchema, jobResultSchema } from '#core/job.ts';
import { TestSite, until } from '#test/bridge-agent/site.ts';

const sites: TestSite[] = [];
function newSite(...args: Parameters<typeof TestSite.create>): TestSite {
  const site = TestSite.create(...args);
  sites.push(site);
  return site;
}
afterEach(() => {
  for (const site of sites.splice(0)) site.remove();
});

/** Runs an agent until the condition holds, then stops it as SIGTERM would. */
async function runUntil(
  site: TestSite,
  what: string,
  condition: () => boolean,
  overrides: Partial<AgentConfiguration> = {},
): Promise<void> {
  const stop = new AbortController();
  const agent = runAgentWith(site.parts(), { ...site.configuration, ...overrides }, stop.signal);
  try {
    await Promise.race([until(what, condition), agent]);
  } finally {
    stop.abort();
    await agent;
  }
}

async function readResult(site: TestSite, prefix: string) {
  const bytes = await site.cloud.lake.getBytes(`${prefix}/result.json`);
  return jobResultSchema.parse(JSON.parse(Buffer.from(bytes ?? new Uint8Array()).toString()));
}

describe('the bridge agent', () => {
  it('takes a batch, runs its units, returns what they made and answers the token', async () => {
    const site = newSite();
    const message = await site.estimate('batch', Array(9).fill({}));
    site.cloud.send(message);

    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);

    const [answer] = site.cloud.answers();
    expect(answer).toMatchObject({ token: message.taskToken, kind: 'success' });
    const body = jobAnswerSchema.parse(answer?.body);
    expect(body).toMatchObject({ workKey: message.workKey, units: 9, failedUnits: 0, rows: 126 });
    const result = await readResult(site, 'work/batch');
    expect(result.outputs).toHaveLength(9);
    for (const output of result.outputs) {
      expect(output.key).toBe(`work/batch/${output.unitId}/points-${output.sha256.slice(0, 16)}.parquet`);
      expect((await site.cloud.lake.head(output.key))?.declaredSha256).toBe(output.sha256);
    }
    expect(site.worked('start')).toHaveLength(9);
    expect(site.cloud.queued()).toBe(0);
    expect(readdirSync(join(site.root, 'scratch', 'work'))).toEqual([]);
  });

  it('runs an inform, whose one unit is the work itself', async () => {
    const site = newSite();
    const message = await site.inform('model');
    site.cloud.send(message);
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    const result = await readResult(site, 'work/model');
    expect(result.outputs).toMatchObject([{ unitId: message.workKey, name: 'model' }]);
    expect(result.outputs[0]?.key).toMatch(/\/model-[0-9a-f]{16}\.pkl$/);
  });

  it('stages the ancillary files of a message by their digests, each under the algorithm’s name for it', async () => {
    const site = newSite();
    const templates = await site.cloud.put('ancillary/templates.json', ['a template']);
    const message = await site.inform('model');
    site.cloud.send({ ...message, ancillary: [{ name: 'templates', ...templates }] });
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);

    const said = await site.cloud.lake.getBytes('work/model/logs.txt.gz');
    const read = sha256(JSON.stringify(['a template']));
    expect(templates.sha256).toBe(read);
    expect(gunzipSync(said ?? '').toString()).toContain(`has the ancillary file templates ${read}`);
    expect(existsSync(join(site.root, 'scratch', 'cache', `${read}.json`))).toBe(true);
  });

  it('does repeated messages once, and answers every token that asked', async () => {
    const site = newSite();
    const message = await site.estimate('batch', [{ seconds: 0.5 }, {}]);
    for (let copy = 0; copy < 5; copy += 1) site.cloud.send(message);
    site.cloud.send({ ...message, taskToken: 'a newer token' });

    await runUntil(site, 'two answers', () => site.cloud.answers().length >= 2 && site.cloud.queued() === 0);

    expect(
      site.cloud
        .answers()
        .map(({ token }) => token)
        .sort(),
    ).toEqual(['a newer token', message.taskToken]);
    expect(site.worked('start')).toHaveLength(2);
  });

  it('answers finished work again without doing it again', async () => {
    const site = newSite();
    const message = await site.estimate('batch', [{}, {}]);
    site.cloud.send(message);
    await runUntil(site, 'an answer', () => site.cloud.answers().length === 1);
    site.cloud.send({ ...message, taskToken: 'asked again' });
    await runUntil(site, 'a second answer', () => site.cloud.answers().length === 2);
    const [first, second] = site.cloud.answers();
    expect(second).toEqual({ ...first, token: 'asked again' });
    expect(site.worked('start')).toHaveLength(2);
  });

  it('returns a batch with a unit that the science failed, and does not try that unit again', async () => {
    const site = newSite();
    site.cloud.send(await site.estimate('batch', [{}, { behave: 'science' }, {}]));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'success', body: { units: 3, failedUnits: 1 } });
    expect(site.worked('start')).toHaveLength(3);
    const failed = (await readResult(site, 'work/batch')).records.filter(({ outcome }) => outcome === 'failed');
    const said = expect.stringMatching(/was asked to fail\nits task last said: works on [0-9a-f]{64}/);
    expect(failed).toMatchObject([{ error: { code: 'ASKED_TO', kind: 'science', message: said } }]);
    const logs = await site.cloud.lake.getBytes('work/batch/logs.txt.gz');
    expect(
      gunzipSync(logs ?? '')
        .toString()
        .match(/works on/g),
    ).toHaveLength(3);
  });

  it('tries a unit again that the infrastructure failed, as a new attempt', async () => {
    const site = newSite();
    site.cloud.send(await site.estimate('batch', [{}, { behave: 'flaky' }, {}]));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'success', body: { units: 3, failedUnits: 0 } });
    expect(site.worked('start')).toHaveLength(4);
  });

  it('starts a task again whose worker died, and only its unfinished units', async () => {
    const site = newSite({ limits: { tasksPerArray: 1 } });
    site.cloud.send(await site.estimate('batch', [{}, { behave: 'crash-once' }, {}]));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'success', body: { units: 3, failedUnits: 0 } });
    expect(site.worked('record').length).toBe(3);
  });

  it('gives a task up whose worker always dies, and says what it saw', async () => {
    const site = newSite({ limits: { tasksPerArray: 2, attempts: 2 } });
    site.cloud.send(await site.estimate('batch', [{}, { behave: 'crash' }]));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'success', body: { units: 2, failedUnits: 1 } });
    const failed = (await readResult(site, 'work/batch')).records.filter(({ outcome }) => outcome === 'failed');
    expect(failed[0]?.error).toMatchObject({ code: 'TASK_LOST', message: expect.stringContaining('exit code 137') });
  });

  it('gives a unit that ran out of memory twice as much until the site’s cap, then says so once', async () => {
    const site = newSite({ limits: { tasksPerArray: 2, attempts: 1, memoryMb: 100, maxMemoryMb: 300 } });
    site.cloud.send(await site.estimate('batch', [{}, { behave: 'memory' }]));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'success', body: { units: 2, failedUnits: 1 } });
    const asked = Journal.read(site.configuration.journal, (journal) => journal.history('bpz', 'estimate', 100));
    const hungry = asked.filter(({ outcome }) => outcome === 'out-of-memory').map(({ memory_mb }) => memory_mb);
    expect(hungry.sort()).toEqual([100, 200, 300]);
    const failed = (await readResult(site, 'work/batch')).records.filter(({ outcome }) => outcome === 'failed');
    const cap = expect.stringContaining('it needs more than limits.maxMemoryMb (300 MB) of this site');
    expect(failed).toMatchObject([{ error: { code: 'MEMORY_EXHAUSTED', message: cap } }]);
  });

  it('sizes the next batch by what the first one took, and shows the profile', async () => {
    const site = newSite();
    site.cloud.send(await site.estimate('first', Array(8).fill({})));
    await runUntil(site, 'an answer', () => site.cloud.answers().length === 1);
    site.cloud.send(await site.estimate('second', Array(8).fill({})));
    await runUntil(site, 'a second answer', () => site.cloud.answers().length === 2);
    const rows = readMeasurements(site.configuration, 'test');
    const tasksOf = (name: string) =>
      new Set(rows.filter((row) => row.work_key === sha256(`work ${name}`)).map(({ task }) => task));
    expect([tasksOf('first').size, tasksOf('second').size]).toEqual([4, 1]);
    expect(profiles(rows)).toMatchObject([
      { algorithm: 'bpz', kind: 'estimate', attempts: 16, failed: 0, nodes: ['here'] },
    ]);
    expect(profileText(rows)).toContain('bpz estimate: 16 attempts (0 failed)');
  });

  it('answers JobFailed when no unit succeeded', async () => {
    const site = newSite();
    site.cloud.send(await site.inform('model', { behave: 'science' }));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({
      kind: 'failure',
      body: { error: 'JobFailed', cause: expect.stringContaining('was asked to fail') },
    });
  });

  it('does failed work anew when it is asked for again', async () => {
    const site = newSite({ limits: { attempts: 1 } });
    const message = await site.inform('model', { behave: 'crash-once' });
    site.cloud.send(message);
    await runUntil(site, 'a failure', () => site.cloud.answers().length === 1);
    site.cloud.send({ ...message, taskToken: 'second try' });
    await runUntil(site, 'a success', () => site.cloud.answers().length === 2);
    expect(site.cloud.answers().map(({ kind }) => kind)).toEqual(['failure', 'success']);
  });

  it.each([
    ['an algorithm that is not registered', { algorithm: 'unknown' }],
    ['another configuration', { configurationDigest: 'f'.repeat(64) }],
    ['a message of a later version', { version: 2 }],
  ])('refuses %s', async (_what, change) => {
    const site = newSite();
    const message = await site.estimate('batch', [{}]);
    site.cloud.send(JSON.stringify({ ...message, ...change }));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'failure', body: { error: 'JobRefused' } });
    expect(site.worked('start')).toEqual([]);
  });

  it.each([
    ['from elsewhere in the lake', (key: string) => `models/${key.split('/').at(-1)}`],
    ['of another kind of work', (key: string) => key.replace('work/inform', 'work/estimate')],
    ['under the digest of another', (key: string) => key.replace(/model-.{16}/, `model-${'0'.repeat(16)}`)],
    ['beside an inform', (key: string) => key.replace('/model-', '/extra/model-')],
  ])('refuses a model %s, whatever its digest: it is code', async (_what, move) => {
    const site = newSite();
    const message = await site.estimate('batch', [{}]);
    if (!('model' in message)) throw new Error('an estimate has a model');
    const { model } = message;
    const key = move(model.key);
    const bytes = await site.cloud.lake.getBytes(model.key);
    await site.cloud.lake.putBytes(key, bytes ?? new Uint8Array(), 'application/octet-stream');
    site.cloud.send({ ...message, model: { ...model, key } });
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    const cause = expect.stringContaining(`the model ${key} is not what an inform of ours left`);
    expect(site.cloud.answers()[0]).toMatchObject({ kind: 'failure', body: { error: 'JobRefused', cause } });
    expect(site.worked('start')).toEqual([]);
  });

  it('leaves what is no job in the queue, for its dead-letter rule', async () => {
    const site = newSite();
    site.cloud.send('{"hello": "world"}');
    site.cloud.send(await site.inform('model'));
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.queued()).toBe(1);
  });

  it('fails a job whose inputs are not there', async () => {
    const site = newSite();
    const message = await site.inform('model');
    site.cloud.send(
      JSON.stringify({ ...message, training: { ...('training' in message && message.training), key: 'gone' } }),
    );
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.cloud.answers()[0]).toMatchObject({
      kind: 'failure',
      body: { cause: expect.stringContaining('gone') },
    });
  });

  it('beats while the work lives, and cancels it when nobody waits any more', async () => {
    const site = newSite();
    const message = await site.estimate('batch', [{ seconds: 60 }, { seconds: 60 }]);
    site.cloud.send(message);
    const beats = () => site.cloud.heartbeats(message.taskToken);
    await runUntil(site, 'the end of the job', () => {
      if (beats() >= 2) site.cloud.forget(message.taskToken);
      return beats() >= 2 && !existsSync(join(site.root, 'scratch', 'work', message.workKey));
    });
    await until('no process of the job', () => site.processes().length === 0);
    expect(site.cloud.answers()).toEqual([]);
    expect(site.worked('record')).toEqual([]);
  });

  it('stops with its jobs running, and goes on with them at the next start', async () => {
    const site = newSite();
    site.cloud.send(await site.estimate('batch', [{ seconds: 1 }, { seconds: 1 }]));
    await runUntil(site, 'running units', () => site.worked('start').length === 2);
    expect(site.processes().length).toBeGreaterThan(0);
    await runUntil(site, 'an answer', () => site.cloud.answers().length > 0);
    expect(site.worked('start')).toHaveLength(2);
  });

  it('drains: finishes what it took, takes nothing more, ends by itself', async () => {
    const site = newSite();
    site.cloud.send(await site.estimate('first', [{ seconds: 0.5 }]));
    await runUntil(site, 'a running unit', () => site.worked('start').length === 1);
    site.cloud.send(await site.estimate('second', [{}]));
    await runAgentWith(site.parts(), { ...site.configuration, drain: true }, new AbortController().signal);
    expect(site.cloud.answers()).toHaveLength(1);
    expect(site.cloud.queued()).toBe(1);
  });

  it('keeps scratch from other users', async () => {
    const site = newSite();
    await runUntil(site, 'its folders', () => existsSync(join(site.root, 'scratch', 'cache')));
    for (const name of ['work', 'cache']) {
      expect(statSync(join(site.root, 'scratch', name)).mode & 0o777).toBe(0o700);
    }
  });

  it('is alone with its journal', async () => {
    const site = newSite();
    const journal = new Journal({ path: site.configuration.journal, clock: { now: () => new Date() } });
    const agent = runAgentWith(site.parts(), site.configuration, new AbortController().signal);
    await expect(agent).rejects.toMatchObject({ code: 'JOURNAL_LOCKED' });
    journal.close();
  });
});
