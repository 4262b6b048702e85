/** Erasing a user: everything that says who it was goes, and what was done under its id stays in the log. */
import { chunksOf } from '../core/chunks.ts'
import { AppError, isErrorCode } from '../core/errors.ts'
import type { ActorRef } from '../core/ids.ts'
import { actorId } from '../core/ids.ts'
import { pause } from '../core/waits.ts'
import { ERASED } from '../machines/user/events.ts'
import { byUser } from './acting-user.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { AccountPorts } from './ports.ts'

export interface ErasureOptions {
  /** The user on whose behalf, for the audit. */
  readonly by?: number
  /** Events in the clear are sealed where they stand. Seals of the audit over them do not match any more. */
  readonly rewriteClear?: boolean
}

export interface Erasure {
  readonly ok: true
  readonly userId: number
  /** False where it goes on by itself: the log has it, and some node brings it to its end. */
  readonly done: boolean
  /** Events in the clear that were sealed where they stood. */
  readonly rewritten: number
}

const WAIT_MS = 30_000
const LOOK_MS = 25
/** Actors whose history is read together. */
const AT_ONCE = 16
/** Where events may be that were written before personal data was sealed. */
const OLD = [{ table: 'sessions', type: 'session' }] as const

/**
 * Sees to what was written before personal data was sealed; answers how many events were sealed where they stood.
 * Throws AppError `not_found`, `log_unavailable`.
 */
export async function prepareErasure(
  ports: AccountPorts,
  userId: number,
  { rewriteClear = false }: ErasureOptions,
): Promise<Pick<Erasure, 'ok' | 'rewritten'> | AccountRefusal> {
  const { state, version } = await ports.actor('user', userId).state()
  if (version === 0) throw new AppError('not_found', `There is no user ${userId}. Nothing was changed.`)
  if (ERASED.includes(state)) return { ok: true, rewritten: 0 }
  const actors = await actorsOf(ports, userId)
  const clear = await total(actors, actor => ports.clearData.count(actor))
  if (clear > 0 && !rewriteClear)
    return refused(
      'in_the_clear',
      `${clear} events of user ${userId} were written before this log sealed personal data, so destroying a key would not erase them. Nothing was changed. ` +
        'Ask for them to be rewritten: rootstream users erase --rewrite-clear. A verification of the audit seals then names them as changed.',
    )
  return { ok: true, rewritten: clear === 0 ? 0 : await total(actors, actor => ports.clearData.seal(actor, userId)) }
}

/** Puts the erasure into the log, from where it goes on by itself. */
export async function beginErasure(
  { actor }: AccountPorts,
  userId: number,
  by?: number,
): Promise<{ readonly ok: true }> {
  // Refused where another node erases the same user: that erasure is this one.
  await actor('user', userId).send({ type: 'user.erased' }, byUser(by))
  return { ok: true }
}

/** Whether it came to its end while we looked. */
export async function isErased({ actor, clock }: AccountPorts, userId: number): Promise<boolean> {
  const until = clock.now() + WAIT_MS
  const look = async () => (await actor('user', userId).state()).state === 'erased'
  // The erasure is in the log: one that is away for a moment is no failure of it.
  while (!(await look().catch(ifAway))) {
    if (clock.now() >= until) return false
    await pause(clock, LOOK_MS)
  }
  return true
}

function ifAway(error: unknown): boolean {
  if (isErrorCode(error, 'log_unavailable')) return false
  throw error
}

async function actorsOf(ports: AccountPorts, userId: number): Promise<readonly ActorRef[]> {
  const owned = await Promise.all(
    OLD.map(async ({ table, type }) =>
      (await ports.find(table, 'user_id', userId)).map(id => ({ type, id: actorId(id) })),
    ),
  )
  return [{ type: 'user', id: actorId(userId) }, ...owned.flat()]
}

/** Some at a time: a user may have had any number of sessions, and the log answers others, too. */
async function total(actors: readonly ActorRef[], count: (actor: ActorRef) => Promise<number>): Promise<number> {
  let sum = 0
  for (const some of chunksOf(actors, AT_ONCE)) for (const one of await Promise.all(some.map(count))) sum += one
  return sum
}
