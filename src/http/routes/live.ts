/** Live figures of actors: told by whoever serves them, read merged over all nodes, and heard as they change. */
import { z } from 'zod'
import { AppError } from '../../core/errors.ts'
import { actorId } from '../../core/ids.ts'
import type { LiveHandle } from '../../live/api.ts'
import { liveFigures } from '../answers.ts'
import { answers } from '../api-document.ts'
import type { HttpApp, HttpShared } from '../http-app.ts'
import { actorPath, liveBody, liveQuery } from '../input.ts'

export function liveRoutes(app: HttpApp, { node, liveStreams }: HttpShared): void {
  app.get(
    '/v1/live/:type/:id',
    {
      schema: {
        summary: 'The live figures of an actor, merged over all nodes',
        description: 'Empty where the actor is in no time with live figures, or nobody has told any.',
        operationId: 'getLive',
        tags: ['live'],
        params: actorPath,
        ...answers({ 200: liveFigures }),
      },
    },
    async request => {
      const handle = node.live(request.params.type, actorId(request.params.id))
      return figures(request.params, handle)
    },
  )

  app.post(
    '/v1/live/:type/:id',
    {
      schema: {
        summary: 'Tells live figures of an actor',
        description:
          'They are merged with what other nodes were told, reach those within milliseconds and the log once an interval. ' +
          'Nothing is durable when this answers.',
        operationId: 'tellLive',
        tags: ['live'],
        params: actorPath,
        body: liveBody,
        ...answers({ 200: liveFigures }),
      },
    },
    async request => {
      const { params, body } = request
      const handle = node.live(params.type, actorId(params.id))
      if (!(await handle.opened()))
        throw new AppError(
          'not_live',
          `${params.type}/${params.id} is in no state with live figures. Nothing was changed.`,
        )
      // All or nothing: a refused figure leaves the others as they were.
      handle.write(body)
      return figures(params, handle)
    },
  )

  app.get(
    '/v1/live/stream',
    {
      config: { countsAs: 'apart', endless: true },
      schema: {
        summary: 'Live figures as they change',
        description:
          'Server-sent events: `event` is `type.field`, `data` the actor and the merged value. A slow client is told the newest ' +
          'value of each figure, not every one. What changed before it came is in the figures of each actor.',
        operationId: 'streamLive',
        tags: ['live'],
        querystring: liveQuery,
        ...answers({ 200: { contentType: 'text/event-stream', schema: z.string() } }),
      },
    },
    async (request, reply) => {
      const begin = liveStreams.prepare(request.query.topic ?? '*')
      reply.hijack()
      begin(reply.raw)
    },
  )
}

function figures({ type, id }: { type: string; id: string }, handle: LiveHandle) {
  return { actor: `${type}/${id}`, values: handle.read() }
}
