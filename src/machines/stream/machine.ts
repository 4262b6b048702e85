/** The life of a stream: idle, live and idle again, until it is deleted. */
import { assign, fromPromise, setup, spawnChild } from 'xstate'
import { asCount } from '../fields.ts'
import { changed, type WithRow } from '../read-row.ts'
import type { StreamEvent } from './events.ts'
import type { StreamRow } from './row.ts'

/** What is counted while the stream is live, for the broadcast that ends with it. */
interface Tally {
  readonly totalViewers: number
  readonly peakViewers: number
  readonly bytesSent: number
  readonly broadcastId: number | null
  /** Was live when it was imported: its broadcast is a row of 24.2. */
  readonly imported: boolean
}

export interface StreamContext extends WithRow<StreamRow>, Tally {
  readonly row: StreamRow | null
  /** How many earlier times on air began at this very `started_at`: a millisecond holds more than one. */
  readonly again: number
}

const NOTHING: Tally = { totalViewers: 0, peakViewers: 0, bytesSent: 0, broadcastId: null, imported: false }

const base = setup({
  types: {} as { context: StreamContext; events: StreamEvent },
  actors: { openBroadcast: fromPromise(async () => undefined), closeBroadcast: fromPromise(async () => undefined) },
})

/** Viewers now, of whom `joined` are new. */
function watching(context: StreamContext, viewers: number, joined: number, at: string) {
  return {
    row: changed(context.row, { viewer_count: asCount(viewers), updated_at: at }),
    totalViewers: asCount(Math.max(context.totalViewers + joined, viewers)),
    peakViewers: asCount(Math.max(context.peakViewers, viewers)),
  }
}

const describe = base.createAction(
  assign(({ context, event }) => {
    const { row } = context
    switch (event.type) {
      case 'stream.renamed':
        return { row: changed(row, { name: event.name, updated_at: event.at }) }
      case 'stream.described':
        return {
          row: changed(row, {
            description: event.description === undefined ? (row?.description ?? null) : event.description,
            stream_url: event.streamUrl === undefined ? (row?.stream_url ?? null) : event.streamUrl,
            thumbnail_url: event.thumbnailUrl === undefined ? (row?.thumbnail_url ?? null) : event.thumbnailUrl,
            updated_at: event.at,
          }),
        }
      case 'stream.visibility.changed':
        return { row: changed(row, { is_public: event.isPublic, updated_at: event.at }) }
      case 'stream.key.rotated':
        return { row: changed(row, { stream_key: event.streamKey, updated_at: event.at }) }
      default:
        return context
    }
  }),
)

/** The name of this time on air, which no other one of the stream has; command ids and timers are made of it. */
export function timeOnAir({ row, again }: StreamContext): string {
  const startedAt = row?.started_at ?? ''
  return again === 0 ? startedAt : `${startedAt}#${again}`
}

/** An effect for each time on air: one that has to be tried again is not displaced by that of the next time. */
const ofThisTime =
  (effect: string) =>
  ({ context }: { context: StreamContext }) =>
    `${effect}:${timeOnAir(context)}`

const openBroadcast = base.createAction(
  spawnChild('openBroadcast', {
    id: ofThisTime('openBroadcast'),
    input: (({ context }: { context: StreamContext }) => ({
      airing: timeOnAir(context),
      startedAt: context.row?.started_at ?? '',
      userId: context.row?.user_id ?? null,
    })) as never,
  }),
)

const closeBroadcast = base.createAction(
  spawnChild('closeBroadcast', {
    id: ofThisTime('closeBroadcast'),
    input: (({ context, event }: { context: StreamContext; event: StreamEvent }) => ({
      imported: context.imported,
      airing: timeOnAir(context),
      startedAt: context.row?.started_at ?? event.at,
      endedAt: event.at,
      userId: context.row?.user_id ?? null,
      totalViewers: context.totalViewers,
      peakViewers: context.peakViewers,
      bytesSent: Math.max(context.bytesSent, event.type === 'stream.stopped' ? (event.bytesSent ?? 0) : 0),
    })) as never,
  }),
)

const editable = {
  'stream.renamed': { actions: describe },
  'stream.described': { actions: describe },
  'stream.visibility.changed': { actions: describe },
  'stream.key.rotated': { actions: describe },
} as const

export const machine = base.createMachine({
  id: 'stream',
  context: { row: null, again: 0, ...NOTHING },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'stream.created': {
          target: 'idle',
          actions: assign({
            row: ({ event }) => ({
              user_id: event.userId,
              name: event.name,
              description: event.description ?? null,
              stream_key: event.streamKey,
              stream_url: event.streamUrl ?? null,
              thumbnail_url: event.thumbnailUrl ?? null,
              is_live: false,
              viewer_count: 0,
              bitrate_kbps: null,
              resolution: null,
              fps: null,
              codec: null,
              is_public: event.isPublic ?? true,
              created_at: event.at,
              updated_at: event.at,
              started_at: null,
              ended_at: null,
            }),
          }),
        },
        'stream.imported': [
          {
            guard: ({ event }) => event.row.is_live === true,
            target: 'live',
            actions: assign(({ event }) => ({
              row: event.row,
              // A row of 24.2 may count below 0; the end of a broadcast may not.
              totalViewers: asCount(event.row.viewer_count ?? 0),
              peakViewers: asCount(event.row.viewer_count ?? 0),
              imported: true,
            })),
          },
          { target: 'idle', actions: assign({ row: ({ event }) => event.row }) },
        ],
      },
    },
    idle: {
      on: {
        ...editable,
        'stream.started': {
          target: 'live',
          actions: [
            assign(({ context, event }) => ({
              ...NOTHING,
              again: event.at === context.row?.started_at ? context.again + 1 : 0,
              row: changed(context.row, {
                is_live: true,
                viewer_count: 0,
                started_at: event.at,
                ended_at: null,
                bitrate_kbps: event.bitrateKbps ?? context.row?.bitrate_kbps ?? null,
                resolution: event.resolution ?? context.row?.resolution ?? null,
                fps: event.fps ?? context.row?.fps ?? null,
                codec: event.codec ?? context.row?.codec ?? null,
                updated_at: event.at,
              }),
            })),
            openBroadcast,
          ],
        },
        'stream.deleted': 'deleted',
      },
    },
    live: {
      on: {
        ...editable,
        'viewer.joined': {
          actions: assign(({ context, event }) => watching(context, (context.row?.viewer_count ?? 0) + 1, 1, event.at)),
        },
        'viewer.left': {
          guard: ({ context }) => (context.row?.viewer_count ?? 0) > 0,
          actions: assign(({ context, event }) => watching(context, (context.row?.viewer_count ?? 0) - 1, 0, event.at)),
        },
        'stream.viewers.updated': {
          actions: assign(({ context, event }) => {
            const joined = Math.max(0, event.viewers - (context.row?.viewer_count ?? 0))
            const seen = watching(context, event.viewers, joined, event.at)
            const peakViewers = Math.max(seen.peakViewers, event.peakViewers ?? 0)
            return { ...seen, peakViewers, totalViewers: Math.max(seen.totalViewers, peakViewers) }
          }),
        },
        'stream.stats.updated': {
          actions: assign(({ context, event }) => ({
            row: changed(context.row, {
              bitrate_kbps: event.bitrateKbps ?? context.row?.bitrate_kbps ?? null,
              resolution: event.resolution ?? context.row?.resolution ?? null,
              fps: event.fps ?? context.row?.fps ?? null,
              codec: event.codec ?? context.row?.codec ?? null,
              updated_at: event.at,
            }),
            bytesSent: Math.max(context.bytesSent, event.bytesSent ?? 0),
          })),
        },
        'stream.broadcast.opened': {
          // Events of earlier releases do not name their time on air.
          guard: ({ context, event }) =>
            event.airing === undefined
              ? event.startedAt === context.row?.started_at
              : event.airing === timeOnAir(context),
          actions: assign({ broadcastId: ({ event }) => event.broadcastId }),
        },
        'stream.stopped': {
          target: 'idle',
          actions: [
            closeBroadcast,
            assign(({ context, event }) => ({
              ...NOTHING,
              row: changed(context.row, { is_live: false, viewer_count: 0, ended_at: event.at, updated_at: event.at }),
            })),
          ],
        },
        'stream.deleted': { target: 'deleted', actions: closeBroadcast },
      },
    },
    deleted: {},
  },
})
