import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_TASKS, type ArrayRequest, type Observation, type Scheduler } from '#core/scheduler.ts';

const PROBE = fileURLToPath(new URL('./scheduler-probe.sh', import.meta.url));

/** A scheduler that cannot start anything for a while is slow, not wrong. */
const PATIENCE_MILLISECONDS = 40_000;

let counter = 0;

/**
 * What the agent relies on, whichever scheduler it has.
 * @param open gives a scheduler as a freshly started agent would have it; state lies below `folder`.
 * @param shape `allocation`: one job holds all the tasks of a name, so it is seen, ends and is cancelled as one.
 */
export function schedulerContract(
  title: string,
  open: (folder: string) => Scheduler,
  shape: 'array' | 'allocation' = 'array',
): void {
  describe(`${title} keeps the scheduler's contract`, () => {
    let folder: string;
    let scheduler: Scheduler;
    const since = new Date();

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'ponte-scheduler-'));
      scheduler = open(folder);
    });
    afterEach(async () => {
      rmSync(join(folder, 'wait'), { force: true });
      await scheduler.close();
      rmSync(folder, { recursive: true, force: true });
    });

    function request(tasks: ArrayRequest['tasks']): ArrayRequest {
      counter += 1;
      return {
        name: `ponte-contract-${process.pid}-${Date.now()}-${counter}`,
        comment: 'contract',
        tasks,
        command: [PROBE, folder],
        logFolder: folder,
        cpusPerTask: 1,
        memoryMb: 50,
        timeLimitMinutes: 5,
      };
    }

    async function look(name: string): Promise<Observation & { readonly kind: 'seen' }> {
      const observation = await scheduler.observe([name], since);
      if (observation.kind === 'failed') throw new Error(observation.reason);
      return observation;
    }

    async function lookUntil(name: string, wanted: (seen: Observation & { kind: 'seen' }) => boolean) {
      const end = Date.now() + PATIENCE_MILLISECONDS;
      for (;;) {
        const seen = await look(name);
        if (wanted(seen)) return seen;
        if (Date.now() > end) throw new Error(`still sees ${JSON.stringify(seen)}`);
        await sleep(100);
      }
    }

    const started = (task: number) => existsSync(join(folder, `started.${task}`));
    const hold = () => writeFileSync(join(folder, 'wait'), '');
    const letGo = () => rmSync(join(folder, 'wait'), { force: true });
    /** Of so many tasks, what the scheduler speaks of. */
    const seenAs = (...tasks: number[]) => (shape === 'array' ? tasks : [ALL_TASKS]);
    const ended = (count: number) => (seen: Observation & { kind: 'seen' }) =>
      seen.live.length === 0 && seen.ended.length >= (shape === 'array' ? count : 1);

    it('runs every index once and says how each ended', async () => {
      writeFileSync(join(folder, 'code.5'), '3\n');
      const array = request([0, 2, 5]);
      const outcome = await scheduler.submit(array);
      expect(outcome).toMatchObject({ kind: 'submitted', jobId: expect.stringMatching(/^\d+$/) });
      const seen = await lookUntil(array.name, ended(3));
      const states = seen.ended.map(({ task, state }) => [task, state]).sort();
      // What a task in an allocation came to, only its exit record says.
      const each = [
        [0, 'completed'],
        [2, 'completed'],
        [5, 'failed'],
      ];
      expect(states).toEqual(shape === 'array' ? each : [[ALL_TASKS, 'completed']]);
      for (const task of array.tasks) {
        expect(
          readFileSync(join(folder, `started.${task}`), 'utf8')
            .trim()
            .split('\n'),
        ).toHaveLength(1);
        expect(readFileSync(join(folder, `${array.name}_${task}.log`), 'utf8')).toContain(`said by ${task}`);
      }
    });

    it('is asked by name: sees its own tasks alive, and nothing of others', async () => {
      hold();
      const array = request([0, 1]);
      await scheduler.submit(array);
      const seen = await lookUntil(array.name, ({ live }) => live.some(({ state }) => state === 'running'));
      expect(seen.live.map(({ task }) => task).sort()).toEqual(seenAs(0, 1));
      expect(seen.live.every(({ name }) => name === array.name)).toBe(true);
      expect(await look(`${array.name}-other`)).toEqual({ kind: 'seen', live: [], ended: [] });
      letGo();
      await lookUntil(array.name, ended(2));
    });

    it('finds running and ended tasks again after a restart of the agent', async () => {
      hold();
      const array = request([0]);
      await scheduler.submit(array);
      await lookUntil(array.name, () => started(0));
      await scheduler.close();

      scheduler = open(folder);

      expect((await look(array.name)).live).toMatchObject([{ name: array.name, task: seenAs(0)[0], state: 'running' }]);
      letGo();
      await lookUntil(array.name, ended(1));
      await scheduler.close();
      scheduler = open(folder);
      expect((await look(array.name)).ended).toMatchObject([{ task: seenAs(0)[0], state: 'completed' }]);
    });

    it('cancels all tasks of a name, and their processes', async () => {
      hold();
      const array = request([0, 1, 2]);
      await scheduler.submit(array);
      await lookUntil(array.name, () => started(0));
      await scheduler.cancel(array.name);
      const seen = await lookUntil(array.name, ({ live }) => live.length === 0);
      expect(seen.ended.every(({ state }) => state === 'cancelled')).toBe(true);
      for (const file of readdirSync(folder).filter((name) => name.startsWith('started.'))) {
        expect(existsSync(`/proc/${readFileSync(join(folder, file), 'utf8').trim()}/fd/0`)).toBe(false);
      }
    });

    it.runIf(shape === 'array')('cancels one task and leaves the others', async () => {
      hold();
      const array = request([0, 1]);
      await scheduler.submit(array);
      const { live } = await lookUntil(array.name, () => started(0) && started(1));
      for (const task of live.filter((one) => one.task === 1)) await scheduler.cancelTask(task);
      await lookUntil(array.name, (seen) => seen.live.length === 1 && seen.live[0]?.task === 0);
      letGo();
      const seen = await lookUntil(array.name, ({ live: left }) => left.length === 0);
      expect(seen.ended.find(({ task }) => task === 0)?.state).toBe('completed');
    });

    it('cancels an unknown name without complaint', async () => {
      await expect(scheduler.cancel('ponte-contract-nobody')).resolves.toBeUndefined();
    });

    it('keeps the agent’s environment from its jobs', async () => {
      process.env.PONTE_CONTRACT_SECRET = 'a credential';
      const array = request([0]);
      await scheduler.submit(array);
      await lookUntil(array.name, ended(1));
      delete process.env.PONTE_CONTRACT_SECRET;
      expect(readFileSync(join(folder, 'environment.0'), 'utf8')).not.toContain('a credential');
    });

    it('says of a request whether it would be accepted, and creates nothing', async () => {
      const array = request([0]);
      expect(await scheduler.dryRun(array)).toEqual({ accepted: true });
      expect(await look(array.name)).toEqual({ kind: 'seen', live: [], ended: [] });
      expect(started(0)).toBe(false);
    });
  });
}
