/** Erasing a user: everything that says who it was goes, and what was done under its id stays in the log. */

import { AppError } from '../core/errors.ts'
import type { ActorRef } from '../core/ids.ts'
import { actorId } from '../core/ids.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { AccountPorts } from './ports.ts'
import type { ValidSession } from './validation.ts'

/** What was written before personal data was sealed. */
export interface ClearData {
  /** How many events of an actor say something of a user in the clear. */
  count(actor: ActorRef, user: number): Promise<number>
  /** Seals them where they stand; answers how many there were. */
  seal(actor: ActorRef, user: number): Promise<number>
}

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
/** Where events may be that were written before personal data was sealed. */
const OLD = [{ table: 'sessions', type: 'session' }] as const

/** May be called again, also while it is under way. Throws AppError `not_found`, `log_unavailable`. */
export async function eraseUser(
  ports: AccountPorts,
  userId: number,
  { by, rewriteClear = false }: ErasureOptions = {},
): Promise<Erasure | AccountRefusal> {
  const user = ports.actor('user', userId)
  const { state, version } = await user.state()
  if (version === 0) throw new AppError('not_found', `There is no user ${userId}. Nothing was changed.`)
  let rewritten = 0
  if (state !== 'erasing' && state !== 'erased') {
    const actors = await actorsOf(ports, userId)
    const clear = await total(actors.map(actor => ports.clearData.count(actor, userId)))
    if (clear > 0 && !rewriteClear)
      return refused(
        'in_the_clear',
        `${clear} events of user ${userId} were written before this log sealed personal data, so destroying a key would not erase them. Nothing was changed. ` +
          'Ask for them to be rewritten: rootstream users erase --rewrite-clear. A verification of the audit seals then names them as changed.',
      )
    if (clear > 0) rewritten = await total(actors.map(actor => ports.clearData.seal(actor, userId)))
    await user.send({ type: 'user.erased' }, by === undefined ? {} : { userId: by })
  }
  return { ok: true, userId, done: await ended(ports, userId), rewritten }
}

/** By an admin who has just shown a second factor: nothing brings an erased user back. */
export async function eraseAs(
  ports: AccountPorts,
  session: ValidSession,
  userId: number,
): Promise<Erasure | AccountRefusal> {
  if (!session.roles.includes('admin')) return refused('forbidden')
  const { clock, settings } = ports
  const shownAt = session.factorAt === null ? Number.NEGATIVE_INFINITY : Date.parse(session.factorAt)
  if (clock.now() - shownAt > settings.stepUpMs) return refused('factor_required')
  return eraseUser(ports, userId, { by: session.userId })
}

async function actorsOf(ports: AccountPorts, userId: number): Promise<readonly ActorRef[]> {
  const owned = await Promise.all(
    OLD.map(async ({ table, type }) =>
      (await ports.find(table, 'user_id', userId)).map(id => ({ type, id: actorId(id) })),
    ),
  )
  return [{ type: 'user', id: actorId(userId) }, ...owned.flat()]
}

async function total(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

/** Whether it came to its end while we looked. */
async function ended({ actor, clock }: AccountPorts, userId: number): Promise<boolean> {
  const until = clock.now() + WAIT_MS
  while ((await actor('user', userId).state()).state !== 'erased') {
    if (clock.now() >= until) return false
    await new Promise<void>(resolve => clock.after(LOOK_MS, resolve))
  }
  return true
}
