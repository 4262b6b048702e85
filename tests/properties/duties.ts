/** What the runtime does of its own accord: which of its events are owed, and what is still owed at the end. */
import type { LogEvent } from '../../src/core/event.ts'
import { outliving } from './erasure.ts'
import { airing } from './rules.ts'
import { idsOf, isThere, type Step, standing, type World } from './world.ts'

/** One time on air of a stream. */
interface Air {
  readonly streamId: number
  readonly userId: number
  readonly startedAt: string
  /** No other of this stream has it. */
  readonly name: string
  /** Undefined while it is live. */
  readonly end:
    | { readonly at: string; readonly total: number; readonly peak: number; readonly bytes: number }
    | undefined
}

function airsOf(world: World, streamId: number): readonly Air[] {
  const airs: Air[] = []
  let before: Step | undefined
  for (const step of world.actors.get(`stream/${streamId}`) ?? []) {
    const { event, state, facts } = step
    if (event.type === 'stream.started')
      airs.push({
        streamId,
        userId: Number(facts['userId']),
        startedAt: event.at,
        name: airing(facts),
        end: undefined,
      })
    else if (before?.state === 'live' && state !== 'live') {
      const { total, peak, bytes } = before.facts
      const sent = Math.max(Number(bytes), Number(event.data['bytesSent'] ?? 0))
      const end = { at: event.at, total: Number(total), peak: Number(peak), bytes: sent }
      airs.push({ ...(airs.pop() as Air), end })
    }
    before = step
  }
  return airs
}

const allAirs = (world: World) => idsOf(world, 'stream').flatMap(id => airsOf(world, id))

/** The first event of each actor of a type. */
function firsts(world: World, type: string): readonly { readonly id: number; readonly event: LogEvent }[] {
  return idsOf(world, type).flatMap(id => {
    const event = world.actors.get(`${type}/${id}`)?.[0]?.event
    return event === undefined ? [] : [{ id, event }]
  })
}

/** The command that makes the broadcast of a time on air says whose it is. */
const makes = ({ streamId, name }: Pick<Air, 'streamId' | 'name'>, { commandId }: LogEvent) =>
  commandId === `broadcast:stream/${streamId}:${name}`

function broadcastOf(world: World, air: Pick<Air, 'streamId' | 'name'>): number | undefined {
  return firsts(world, 'broadcast').find(({ event }) => makes(air, event))?.id
}

function usagesOf(world: World, streamId: number, kind: string): readonly LogEvent[] {
  return firsts(world, 'usage')
    .map(({ event }) => event)
    .filter(({ data }) => data['streamId'] === streamId && data['eventType'] === kind)
}

const seconds = (from: string, to: string) => Math.floor((Date.parse(to) - Date.parse(from)) / 1_000)
/** What usage says of the end of a time on air. */
const billed = (bytes: unknown, duration: unknown) => `${bytes} bytes in ${duration} s`

/** Whether this event, which no client sent, was to be expected in this world; its state is looked at elsewhere. */
export function isOwed(world: World, event: LogEvent): boolean {
  const { actorType, actorId, type, data, at } = event
  const { facts } = standing(world, actorType, actorId)
  const owner = standing(world, 'user', Number(facts['userId'])).state
  const ownerEnds = owner === 'deleted' || owner === 'erasing'
  switch (type) {
    case 'session.expired':
      return String(facts['expiresAt']) <= at
    case 'session.revoked':
      return ownerEnds && data['reason'] === 'user deleted'
    case 'session.erased':
      return owner === 'erasing' && facts['isForgotten'] !== true
    case 'stream.deleted':
      return ownerEnds
    case 'user.forgotten':
      return outliving(world, actorId).length === 0
    case 'stream.broadcast.opened': {
      const air = { streamId: actorId, name: String(data['airing']) }
      return facts['broadcastId'] === null && broadcastOf(world, air) === data['broadcastId']
    }
    case 'broadcast.started': {
      const air = airsOf(world, Number(data['streamId'])).find(known => makes(known, event))
      return air !== undefined && air.startedAt === data['startedAt'] && broadcastOf(world, air) === undefined
    }
    case 'broadcast.ended': {
      const airs = airsOf(world, Number(facts['streamId']))
      const end = airs.find(air => broadcastOf(world, air) === actorId)?.end
      const { totalViewers, peakViewers, bytesSent, endedAt } = data
      return (
        end !== undefined &&
        totalViewers === end.total &&
        peakViewers === end.peak &&
        bytesSent === end.bytes &&
        endedAt === end.at
      )
    }
    case 'usage.recorded': {
      const streamId = Number(data['streamId'])
      const kind = String(data['eventType'])
      return missingUsage(world, streamId, kind).includes(billed(data['bytesTransferred'], data['durationSeconds']))
    }
    default:
      return false
  }
}

/** What usage has not yet been recorded of a stream. */
function missingUsage(world: World, streamId: number, kind: string): readonly string[] {
  const missing = airsOf(world, streamId).flatMap(({ startedAt, end }) => {
    if (kind === 'stream_start') return [billed(undefined, undefined)]
    return end === undefined ? [] : [billed(end.bytes, seconds(startedAt, end.at))]
  })
  for (const { data } of usagesOf(world, streamId, kind)) {
    const index = missing.indexOf(billed(data['bytesTransferred'], data['durationSeconds']))
    if (index >= 0) missing.splice(index, 1)
  }
  return missing
}

/** What the runtime has left undone when it had the time for everything. */
export function stillOwed(world: World, now: string): readonly string[] {
  const owed: string[] = []
  for (const id of idsOf(world, 'user')) {
    owed.push(...outliving(world, id))
    if (standing(world, 'user', id).state === 'erasing') owed.push(`user/${id} is not erased`)
  }
  for (const type of ['session', 'stream'])
    for (const id of idsOf(world, type)) {
      const { state, facts } = standing(world, type, id)
      if (state === 'active' && String(facts['expiresAt']) <= now) owed.push(`${type}/${id} should have expired`)
      if (state === 'live' && facts['broadcastId'] === null) owed.push(`${type}/${id} does not know its broadcast`)
    }
  for (const air of allAirs(world)) {
    const id = broadcastOf(world, air)
    const state = standing(world, 'broadcast', id).state
    const wanted = air.end === undefined ? 'live' : 'ended'
    if (state !== wanted) owed.push(`the broadcast ${id} of ${JSON.stringify(air)} is ${state}`)
  }
  for (const id of idsOf(world, 'stream'))
    for (const kind of ['stream_start', 'stream_end']) {
      // A user who is gone is billed no more.
      const alive = isThere(world, 'user', Number(standing(world, 'stream', id).facts['userId']))
      if (alive && missingUsage(world, id, kind).length > 0) owed.push(`${kind} of stream/${id} was not recorded`)
    }
  return owed
}
