/** The figures of a stream that change many times a second. */
import { MAX_INT4 } from '../../core/ids.ts'
import type { LiveDefinition, LiveValues } from '../live-fields.ts'
import { type StreamContext, timeOnAir } from './machine.ts'

const count = (values: LiveValues, field: string) => Math.min(Number(values[field]), MAX_INT4)

export const live: LiveDefinition = {
  fields: {
    /** Watching through this node. */
    viewers: { rule: 'sumByNode', max: MAX_INT4 },
    peakViewers: { rule: 'max', max: MAX_INT4, peakOf: 'viewers' },
    bytesSent: { rule: 'counter', max: Number.MAX_SAFE_INTEGER },
    bitrateKbps: { rule: 'lww', max: MAX_INT4 },
    fps: { rule: 'lww', max: MAX_INT4 },
    resolution: { rule: 'lww', maxLength: 50 },
    codec: { rule: 'lww', maxLength: 50 },
  },
  period: (state, context) => (state === 'live' ? timeOnAir(context as unknown as StreamContext) : undefined),
  kept: context => {
    const { bytesSent, peakViewers } = context as unknown as StreamContext
    return { bytesSent, peakViewers }
  },
  flush: {
    'stream.viewers.updated': values =>
      values['viewers'] === undefined
        ? undefined
        : {
            viewers: count(values, 'viewers'),
            ...(values['peakViewers'] === undefined ? {} : { peakViewers: count(values, 'peakViewers') }),
          },
    'stream.stats.updated': values => {
      const kept = ['bitrateKbps', 'resolution', 'fps', 'codec', 'bytesSent']
      const data = Object.fromEntries(kept.flatMap(field => (field in values ? [[field, values[field] ?? 0]] : [])))
      return Object.keys(data).length === 0 ? undefined : data
    },
  },
  flushMs: 5_000,
  lifecycle: ['stream.started', 'stream.stopped', 'stream.deleted', 'stream.imported'],
}
