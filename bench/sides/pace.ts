/** Two ways to send: at a fixed rate, whatever the answers take, and as fast as all receivers keep up. */
import { sharedNow } from '../fan-out-process.ts'

export interface Sent {
  /** When each update was due to be sent, by its number. */
  readonly dueAt: Float64Array
  /** When each was taken, or handed to the Redis client; NaN where it was not taken. */
  readonly acceptedAt: Float64Array
  readonly seconds: number
  readonly cpuMicros: number
}

/** @param operation answers when its update was taken */
export async function atRate(
  { perSecond, count }: { readonly perSecond: number; readonly count: number },
  operation: (n: number) => number | Promise<number>,
): Promise<Sent> {
  const dueAt = new Float64Array(count)
  const acceptedAt = new Float64Array(count).fill(Number.NaN)
  const running: Promise<void>[] = []
  const cpu = process.cpuUsage()
  const started = sharedNow()
  for (let n = 0; n < count; ) {
    for (const now = sharedNow(); n < count && started + (n * 1_000) / perSecond <= now; n++) {
      const mine = n
      dueAt[mine] = started + (mine * 1_000) / perSecond
      const taken = operation(mine)
      if (typeof taken === 'number') acceptedAt[mine] = taken
      else
        running.push(
          taken.then(at => {
            acceptedAt[mine] = at
          }),
        )
    }
    // A timer, not a spin: the CPU belongs to the others too.
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  await Promise.all(running)
  const seconds = (sharedNow() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  return { dueAt, acceptedAt, seconds, cpuMicros: user + system }
}

/** Updates of which a receiver says that it has seen them all. */
export const GROUP = 500
/** Groups that may be on their way. */
const UNDER_WAY = 8
/** Every one of this many updates in a row has to be of another figure, or later ones would take the place of earlier. */
export const DISTINCT = GROUP * UNDER_WAY
/** A group that is not seen for so long was lost. */
const LOST_MS = 10_000

export interface Flooded {
  readonly count: number
  readonly startedAt: number
  readonly cpuMicros: number
  /** A group was lost, and nothing was sent after that. */
  readonly stalled: boolean
}

/** @param seenByAll how many groups every receiver has seen */
export async function flood(ms: number, operation: (n: number) => unknown, seenByAll: () => number): Promise<Flooded> {
  const cpu = process.cpuUsage()
  const startedAt = sharedNow()
  let sent = 0
  let seen = 0
  let movedAt = startedAt
  for (let now = startedAt; now - startedAt < ms && now - movedAt < LOST_MS; now = sharedNow()) {
    if (seenByAll() > seen) {
      seen = seenByAll()
      movedAt = now
    }
    if (sent - seen < UNDER_WAY) {
      for (let n = sent * GROUP; n < (sent + 1) * GROUP; n++) operation(n)
      sent++
    } else await new Promise(resolve => setTimeout(resolve, 1))
    await new Promise(resolve => setImmediate(resolve))
  }
  while (seenByAll() < sent && sharedNow() - movedAt < ms + LOST_MS)
    await new Promise(resolve => setTimeout(resolve, 1))
  const { user, system } = process.cpuUsage(cpu)
  return { count: sent * GROUP, startedAt, cpuMicros: user + system, stalled: seenByAll() < sent }
}
