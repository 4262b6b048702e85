/** Events as they are committed, as server-sent events. */
import { z } from 'zod'
import { AppError } from '../../core/errors.ts'
import { answers } from '../api-document.ts'
import type { HttpApp, HttpShared } from '../http-app.ts'
import { streamHeaders, streamQuery } from '../input.ts'

export function streamRoutes(app: HttpApp, { streams }: HttpShared): void {
  app.get(
    '/v1/events/stream',
    {
      // The streams have a limit of their own.
      config: { countsAs: 'apart', endless: true },
      schema: {
        summary: 'Events as they are committed',
        description:
          'Server-sent events in the order of the log, without gaps or repeats, from all nodes: `id` is the position, `event` the type, ' +
          '`data` the event as in a history. After a disconnect, `Last-Event-ID` goes on where it broke off.',
        operationId: 'streamEvents',
        tags: ['events'],
        querystring: streamQuery,
        headers: streamHeaders,
        ...answers({ 200: { contentType: 'text/event-stream', schema: z.string() } }),
      },
    },
    async (request, reply) => {
      const { topic = '*', from, after } = request.query
      if (from !== undefined && after !== undefined)
        throw new AppError('invalid_input', 'Ask for events from a position or after one, not for both.')
      const start =
        request.headers['last-event-id'] ?? after ?? (from === undefined ? undefined : Math.max(0, from - 1))
      const begin = await streams.prepare(topic, start)
      reply.hijack()
      begin(reply.raw)
    },
  )
}
