import { type Condition, ROW_IS_NEW } from '#core/table.ts';

/**
 * The life of a chunk, as one table: for each state, the events it accepts and the state each leads to. The DynamoDB
 * conditions, the diagram in the documentation and the property tests all derive from it.
 */
export const CHUNK_LIFE_CYCLE = {
  received: { check: 'checking', supersede: 'superseded' },
  checking: { check: 'checking', accept: 'accepted', refuse: 'quarantined', supersede: 'superseded' },
  accepted: { check: 'checking', derive: 'deriving', refuse: 'quarantined', supersede: 'superseded' },
  deriving: { check: 'checking', complete: 'skinny', refuse: 'quarantined', supersede: 'superseded' },
  skinny: { estimate: 'estimating', refuse: 'quarantined', supersede: 'superseded', retry: 'received' },
  estimating: { finish: 'estimated', refuse: 'quarantined', supersede: 'superseded' },
  estimated: { pack: 'packed', estimate: 'estimating', refuse: 'quarantined', supersede: 'superseded' },
  packed: { deliver: 'delivered', estimate: 'estimating', refuse: 'quarantined', supersede: 'superseded' },
  delivered: { estimate: 'estimating', refuse: 'quarantined', supersede: 'superseded' },
  quarantined: { retry: 'received', supersede: 'superseded' },
  superseded: { revive: 'received' },
} as const;

export type ChunkState = keyof typeof CHUNK_LIFE_CYCLE;
export type ChunkEvent = { [S in ChunkState]: keyof (typeof CHUNK_LIFE_CYCLE)[S] }[ChunkState];

/** The table again, with every event allowed as an index: what the type of a literal does not permit. */
const TRANSITIONS: Readonly<Record<ChunkState, Readonly<Partial<Record<ChunkEvent, ChunkState>>>>> = CHUNK_LIFE_CYCLE;

export const CHUNK_STATES = Object.keys(CHUNK_LIFE_CYCLE).filter((name): name is ChunkState => name in TRANSITIONS);

/** A chunk that will not change by itself any more: the intake is through with it. */
export const SETTLED_STATES: readonly ChunkState[] = [
  'skinny',
  'estimating',
  'estimated',
  'packed',
  'delivered',
  'quarantined',
];

export function isChunkState(text: unknown): text is ChunkState {
  return typeof text === 'string' && Object.hasOwn(TRANSITIONS, text);
}

/** The state after `event`, or null where the table does not allow it. */
export function nextState(state: ChunkState, event: ChunkEvent): ChunkState | null {
  return TRANSITIONS[state][event] ?? null;
}

/** The states from which `event` leads to `to`. */
export function statesBefore(event: ChunkEvent, to: ChunkState): readonly ChunkState[] {
  return CHUNK_STATES.filter((state) => nextState(state, event) === to);
}

/**
 * What must hold of a chunk's row for `event` to lead to `to`.
 *
 * The claim (`check` from nothing) is a new row; every later event finds the row in one of the states before it.
 */
export function mayMove(event: ChunkEvent, to: ChunkState): Condition {
  return { kind: 'oneOf', attribute: 'state', values: statesBefore(event, to) };
}

/** An execution holds the chunk: states that its own retry checks again. */
export const CLAIMED_STATES: readonly ChunkState[] = statesBefore('check', 'checking').filter(
  (state) => state !== 'received',
);

export const CLAIM: Condition = ROW_IS_NEW;

/** The life cycle as a Mermaid state diagram, for ARCHITECTURE.md. */
export function lifeCycleDiagram(): string {
  const arrows = CHUNK_STATES.flatMap((from) =>
    Object.entries(TRANSITIONS[from]).map(([event, to]) => `  ${from} --> ${to}: ${event}`),
  );
  return ['stateDiagram-v2', '  [*] --> received', ...arrows].join('\n');
}
