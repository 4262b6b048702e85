/** The places at which a test may kill the process, as a crash would: here they do nothing. */

/** In the order in which a command passes them; then what follows from it. */
export const FAULT_POINTS = [
  'create.id-taken',
  'actor.loaded',
  'actor.decided',
  'batch.before-send',
  'batch.answered',
  'actor.committed',
  'actor.state-moved',
  'actor.announced',
  'actor.before-answer',
  'http.before-reply',
  'actor.before-refusal',
  'actor.before-repeating',
  'actor.conflict',
  'snapshot.before-save',
  'effect.before-outcome',
  'effect.before-settling',
  'timer.before-firing',
  'timer.before-settling',
  'projection.before-commit',
  'projection.committed',
] as const

/** Those that are passed only while Postgres is away, or just back. */
export const OUTAGE_FAULT_POINTS = [
  'journal.written',
  'journal.synced',
  'actor.before-tentative-answer',
  'journal.draining',
  'journal.appended',
  'journal.drained',
] as const

export type FaultPoint = (typeof FAULT_POINTS)[number] | (typeof OUTAGE_FAULT_POINTS)[number]

// A node gets this empty function, which V8 removes where it is called. Only a process that runs with
// `--conditions=fault-points` gets the one of the tests instead: package.json maps `#fault-point`. It imports nothing
// and reads nothing, so no setting of the runtime can end a node here.
export function faultPoint(_name: FaultPoint): void {}
