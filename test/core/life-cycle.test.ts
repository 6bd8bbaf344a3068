import { describe, expect, it } from 'vitest';
import {
  CHUNK_LIFE_CYCLE,
  CHUNK_STATES,
  type ChunkEvent,
  CLAIMED_STATES,
  isChunkState,
  lifeCycleDiagram,
  mayMove,
  nextState,
  SETTLED_STATES,
  statesBefore,
} from '#core/life-cycle.ts';

const arrows = CHUNK_STATES.flatMap((from) =>
  Object.entries(CHUNK_LIFE_CYCLE[from]).map(([event, to]) => ({ from, event, to })),
);

// biome-ignore format: one list
const EVENTS = [
  'check', 'supersede', 'accept', 'refuse', 'derive', 'complete', 'estimate', 'retry', 'finish', 'pack', 'deliver', 'revive',
] as const satisfies readonly ChunkEvent[];

describe('the life cycle of a chunk', () => {
  it('reaches every state from the first one', () => {
    const reached = new Set(['received']);
    for (let before = 0; before < reached.size; ) {
      before = reached.size;
      for (const { from, to } of arrows) if (reached.has(from)) reached.add(to);
    }

    expect([...reached].sort()).toEqual([...CHUNK_STATES].sort());
  });

  it('never leaves a chunk without a way on', () => {
    expect(CHUNK_STATES.filter((state) => Object.keys(CHUNK_LIFE_CYCLE[state]).length === 0)).toEqual([]);
  });

  it('has exactly one kind of end for the intake: settled, or superseded', () => {
    const working = CHUNK_STATES.filter((state) => !SETTLED_STATES.includes(state) && state !== 'superseded');

    expect(working).toEqual(['received', ...CLAIMED_STATES]);
    expect(CLAIMED_STATES).toEqual(['checking', 'accepted', 'deriving']);
  });

  it('leaves no settled state for one that the intake works in, but by a retry through the first state', () => {
    const back = arrows.filter(({ from, to }) => SETTLED_STATES.includes(from) && CLAIMED_STATES.includes(to));

    expect(back).toEqual([]);
  });

  it('lets newer content supersede from every state, and a refusal quarantine from every state after the claim', () => {
    const others = CHUNK_STATES.filter((state) => state !== 'superseded');

    expect(statesBefore('supersede', 'superseded')).toEqual(others);
    expect(statesBefore('refuse', 'quarantined')).toEqual(
      others.filter((state) => state !== 'received' && state !== 'quarantined'),
    );
  });

  it('derives the condition of a move from the table', () => {
    for (const event of EVENTS) {
      for (const to of CHUNK_STATES) {
        const values = arrows.filter((arrow) => arrow.event === event && arrow.to === to).map(({ from }) => from);
        expect(mayMove(event, to)).toEqual({ kind: 'oneOf', attribute: 'state', values });
      }
    }
    expect([...new Set(arrows.map(({ event }) => event))].sort()).toEqual([...EVENTS].sort());
    expect(mayMove('complete', 'skinny')).toEqual({ kind: 'oneOf', attribute: 'state', values: ['deriving'] });
    expect(mayMove('complete', 'quarantined')).toEqual({ kind: 'oneOf', attribute: 'state', values: [] });
    expect(nextState('superseded', 'check')).toBeNull();
  });

  it('knows a state from any other text', () => {
    expect(CHUNK_STATES.every((state) => isChunkState(state))).toBe(true);
    expect(['', 'done', 'toString', 'constructor', null, 1].some((other) => isChunkState(other))).toBe(false);
  });

  it('is drawn with every arrow once', () => {
    const lines = lifeCycleDiagram().split('\n');

    expect(lines.slice(0, 2)).toEqual(['stateDiagram-v2', '  [*] --> received']);
    expect(lines.slice(2)).toEqual(arrows.map(({ from, event, to }) => `  ${from} --> ${to}: ${event}`));
  });
});
