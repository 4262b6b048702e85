/** What accounts need of the rest of a node. */
import type { ActorHandle } from '../actors/api.ts'
import type { Delivery } from '../auth/delivery/delivery.ts'
import type { KeyRing } from '../auth/key-ring.ts'
import type { PasswordHasher } from '../auth/password-hasher.ts'
import type { LogEvent } from '../core/event.ts'
import type { ActorRef } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { ActorHead, Claim, Clock, Lease, Logger } from '../core/ports.ts'
import type { AttemptLimiter } from './attempts.ts'
import type { Background } from './background.ts'
import type { SessionActivity } from './session-activity.ts'
import type { AccountSettings } from './settings.ts'

/** Of the first event under an id of `nextId`: what was given to nobody else is not looked for. */
export const NEW_ACTOR = { expectedVersion: 0 }

/** What was written before personal data was sealed. */
export interface ClearData {
  /** How many events of an actor say something of a person in the clear. */
  count(actor: ActorRef): Promise<number>
  /** Seals them where they stand; answers how many there were. */
  seal(actor: ActorRef, user: number): Promise<number>
}

export interface AccountPorts {
  readonly clock: Clock
  readonly log: Logger
  readonly settings: AccountSettings
  readonly hasher: PasswordHasher
  readonly keys: KeyRing
  readonly attempts: AttemptLimiter
  readonly clearData: ClearData
  readonly delivery: Delivery
  readonly background: Background
  actor(type: string, id: number): ActorHandle
  /** An id for a new actor, which nobody else is given: its token is made before it is. */
  nextId(type: string): Promise<number>
  holderOf(claim: Claim): Promise<ActorRef | undefined>
  /** Ids of the rows whose column has this value, as of everything committed before the call. */
  find(table: string, column: string, value: Json): Promise<readonly number[]>
  readonly activity: SessionActivity
  /** Ids of sessions that are not over and were not in use since a time (ISO 8601), as far as the log knows: by id, those after one. */
  restingSessions(before: string, after: number, limit: number): Promise<readonly number[]>
  /** Whether this node hears of what sessions are in use on the others. */
  linkIsUp(): boolean
  /** Where an address is, as far as that is known: `London, GB`. */
  placeOf(ipAddress: string): string | undefined
  /** Actors of a type by id, after one. */
  listActors(type: string, after: number, limit: number): Promise<readonly ActorHead[]>
  /** See `ActorSystem.withLease`. */
  withLease<Result>(
    name: string,
    ttlMs: number,
    work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result | undefined>
  /** Called with what this node commits. */
  onCommitted(listener: (events: readonly LogEvent[]) => void): void
}
