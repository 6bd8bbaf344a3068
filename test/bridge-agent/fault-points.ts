/** Every place at which the journal changes, and every act whose answer may be lost. kill.test.ts keeps it complete. */
const EVENTS = [
  'Job:Received',
  'Job:Rebound',
  'Job:Staged',
  'Job:Submitting',
  'Job:Submitted',
  'Task:Lost',
  'Task:Ended',
  'Job:Ended',
  'Job:Done',
  'Reply:Delivered',
];
const ACTS = ['Scheduler:Answered', 'Result:Stored', 'Reply:Sent'];

export const FAULT_POINTS = [...EVENTS.flatMap((event) => [`${event}:before`, `${event}:after`]), ...ACTS].sort();
