/** Work that is done one after the other over all nodes, where its rule is about several actors at once. */
import { AppError } from '../core/errors.ts'
import { pause } from '../core/waits.ts'
import { type AccountRefusal, refused } from './answers.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import type { ShownSession } from './shown-session.ts'
import { isOpen } from './standing.ts'
import { readAccount } from './users.ts'

const LEASE_MS = 10_000
/** Longer than a lease: a node that was killed keeps nobody from it. */
const TRIES = 240
const WAIT_MS = 50

type Ports = Pick<AccountPorts, 'withLease' | 'clock'>

/** A lease lets its own node in again, so that node's turns wait for each other: the last one of each name. */
const lastTurns = new WeakMap<Ports, Map<string, Promise<unknown>>>()

/** @param busy what is said where others have it for too long. Throws AppError `conflict`, `log_unavailable`. */
export function inTurn<Result>(ports: Ports, name: string, busy: string, work: () => Promise<Result>): Promise<Result> {
  const turns = lastTurns.get(ports) ?? new Map<string, Promise<unknown>>()
  lastTurns.set(ports, turns)
  const before = turns.get(name) ?? Promise.resolve()
  const mine = before.then(() => withLease(ports, name, busy, work))
  const over = mine
    .catch(() => undefined)
    .then(() => {
      if (turns.get(name) === over) turns.delete(name)
    })
  turns.set(name, over)
  return mine
}

async function withLease<Result>(
  { withLease, clock }: Ports,
  name: string,
  busy: string,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 0; tries < TRIES; tries++) {
    const done = await withLease(name, LEASE_MS, async () => ({ result: await work() }))
    if (done !== undefined) return done.result
    await pause(clock, WAIT_MS)
  }
  throw new AppError('conflict', `${busy} Nothing was changed by this; try again.`)
}

/** Users share a lease with some others: the log keeps a row of each lease for good. */
const FACTOR_LEASES = 64

/** Changes of the factors of a user: what may go or come depends on which others there are. */
export function inFactorTurn<Result>(ports: Ports, userId: number, work: () => Promise<Result>): Promise<Result> {
  const name = `accounts:factors/${userId % FACTOR_LEASES}`
  return inTurn(ports, name, 'The factors are being changed by another request.', work)
}

/** The same by a session of the user. */
export function changingFactors<Answer>(
  ports: AccountPorts,
  { sessionId, userId, incomplete }: ShownSession,
  work: () => Promise<Answer>,
): Promise<Answer | AccountRefusal> {
  // It may change nothing, and the work says so.
  if (incomplete) return work()
  // Whoever was before may have ended it.
  return inFactorTurn(ports, userId, async () =>
    (await isStillOpen(ports, { sessionId, userId })) ? work() : refused('invalid_session'),
  )
}

/** As the log has it now. */
export async function isStillOpen(
  ports: AccountPorts,
  { sessionId, userId }: Pick<ShownSession, 'sessionId' | 'userId'>,
): Promise<boolean> {
  const [{ state }, { active, context }] = await Promise.all([
    readSession(ports, sessionId),
    readAccount(ports, userId),
  ])
  return state === 'active' && active && isOpen(context, sessionId)
}
