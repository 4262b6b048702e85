/**
 * Ends sessions that nobody would end: idle for too long, pushed out by newer ones, or never opened by a login that broke
 * off. None of them is valid any more; this is for whoever reads the tables. One node does it for all.
 */
import { chunksOf } from '../core/chunks.ts'
import { AppError } from '../core/errors.ts'
import type { Service } from '../core/ports.ts'
import { createRepeatedWork } from '../core/repeated-work.ts'
import { PUSHED_OUT, revokeSession } from './end-sessions.ts'
import type { AccountPorts } from './ports.ts'
import { readSession } from './read-session.ts'
import { isIdle, isOpen } from './standing.ts'
import { readAccount } from './users.ts'

export interface SessionSweep extends Service {
  /** One look at the sessions that rest; answers how many it ended. */
  sweep(signal?: AbortSignal): Promise<number>
}

const EVERY_MS = 60_000
const LEASE = 'accounts:sweep'
const LEASE_MS = 15_000
/** Sessions at rest that are looked at each time; where there are more, the next time goes on from there. */
const LOOKED_AT = 1_000
const TOGETHER = 20
/** What is younger may be a login under way, and the log is told of the use of a session once a minute. */
const REST_MS = 5 * 60_000

export function createSessionSweep(ports: AccountPorts): SessionSweep {
  const { clock, log, settings } = ports
  let stopped = false
  let after = 0

  const sweep = async (signal?: AbortSignal): Promise<number> => {
    const rest = Math.min(REST_MS, settings.idleMs)
    const before = new Date(clock.now() - rest).toISOString()
    const resting = await ports.restingSessions(before, after, LOOKED_AT)
    let ended = 0
    for (const some of chunksOf(resting, TOGETHER)) {
      if (stopped || signal?.aborted === true) return ended
      for (const over of await Promise.all(some.map(id => endOf(ports, id)))) if (over) ended++
      after = some.at(-1) ?? after
    }
    if (resting.length < LOOKED_AT) after = 0
    if (ended > 0) log.info({ ended }, 'sessions that were over were ended')
    return ended
  }

  const look = async (): Promise<void> => {
    try {
      await ports.withLease(LEASE, LEASE_MS, (_lease, signal) => sweep(signal))
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'failed'
      log.warn({ code, error: String(error) }, 'sessions that are over were not ended; it is tried again')
    }
  }
  const looks = createRepeatedWork(clock, EVERY_MS, look)

  return {
    sweep,
    start: async () => looks.start(),
    stop: async () => {
      stopped = true
      await looks.stop()
    },
  }
}

async function endOf(ports: AccountPorts, id: number): Promise<boolean> {
  const { state, context } = await readSession(ports, id)
  // What accounts did not open they do not end: sessions of 24.2 and of programs that keep their own.
  if (state !== 'active' || context.row === null || context.methods.length === 0) return false
  const account = await readAccount(ports, context.row.user_id)
  if (!account.active || !isOpen(account.context, id)) {
    await revokeSession(ports, id, account.active ? PUSHED_OUT : 'the account is not in use')
    return true
  }
  // A node that hears nobody cannot say that nobody uses it. A remembered session goes on by its other token.
  if (context.remember !== null || !ports.linkIsUp() || !isIdle(ports, id, context, ports.clock.now() - REST_MS))
    return false
  await revokeSession(ports, id, 'idle for too long')
  return true
}
