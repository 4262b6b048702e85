/** What an actor in memory is given by the system that hosts it. */
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { Clock, DueTimer, EventStore, Logger, TimerSet } from '../core/ports.ts'
import type { Snapshot } from '../core/state.ts'
import type { TentativeExchange } from '../tentative/api.ts'
import type { LinkWatch } from './link-watch.ts'
import type { Outage } from './outage.ts'
import type { Ownership } from './ownership.ts'
import type { Turns } from './turns.ts'

export interface ActorLimits {
  /** Commands that may wait for one actor. */
  readonly mailbox: number
  /** Effects that run at the same time. */
  readonly effects: number
}

export interface ActorPorts {
  readonly clock: Clock
  readonly store: EventStore
  readonly log: Logger
  readonly limits: ActorLimits
  readonly ownership: Ownership
  readonly turns: Turns
  readonly link: LinkWatch
  /** Whether commands have spans. */
  readonly traced: boolean
  /** Absent where nothing is taken while the log is away. */
  readonly outage: Outage | undefined
  /** Absent where nodes do not tell each other of such events. */
  readonly tentatives: TentativeExchange | undefined
  committed(events: readonly LogEvent[], timers: readonly TimerSet[]): void
  snapshot(actor: ActorRef, snapshot: Snapshot): void
  startEffect(timer: DueTimer): void
}

/** Read tables as effects may ask them. */
export interface ReadTables {
  /** Ids of rows whose column has the value, once everything up to `position` is projected. */
  find(table: string, column: string, value: Json, position: number): Promise<readonly number[]>
}
