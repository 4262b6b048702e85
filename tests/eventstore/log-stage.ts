/** Events, appends and a log of several nodes for tests of event stores. */
import type { LogEvent, NewEvent } from '../../src/core/event.ts'
import { actorRef } from '../../src/core/ids.ts'
import type { Append, AppendOutcome, EventStore } from '../../src/core/ports.ts'
import type { ManualClock } from '../support/manual-clock.ts'

export interface LogFixture {
  /** A store on the log; several are several nodes. */
  open(clock: ManualClock): Promise<EventStore>
  close(): Promise<void>
}

/** A log that is empty at the start of each test. */
export interface LogStage {
  readonly store: EventStore
  /** Another node on the log of `store`. */
  open(): Promise<EventStore>
}

export function newEvent(changes: Partial<NewEvent> = {}): NewEvent {
  return {
    type: 'thing.happened',
    schemaVersion: 1,
    data: { n: 1 },
    state: 'on',
    at: '2026-01-01T00:00:00.123Z',
    userId: null,
    commandId: null,
    causation: null,
    correlation: null,
    ...changes,
  }
}

export function append(id: number, expectedVersion: number, changes: Partial<Append> = {}): Append {
  return { actor: actorRef('thing', id), expectedVersion, events: [newEvent()], ...changes }
}

export async function readAllEvents(store: EventStore): Promise<LogEvent[]> {
  const events: LogEvent[] = []
  for (;;) {
    const page = await store.readAll(events.at(-1)?.position ?? 0, 1_000)
    events.push(...page)
    if (page.length < 1_000) return events
  }
}

export function appended(outcome: AppendOutcome): readonly LogEvent[] {
  if (outcome.outcome !== 'appended') throw new Error(`not appended: ${JSON.stringify(outcome)}`)
  return outcome.events
}
