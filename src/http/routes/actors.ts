/** Commands to actors, their state now and then, and their events. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { faultPoint } from '#fault-point'
import type { ActorView, CommandOptions } from '../../actors/system.ts'
import type { RuntimeNode } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import { actorId, formatActorRef } from '../../core/ids.ts'
import { mask } from '../../core/mask.ts'
import type { CommandResult } from '../../core/result.ts'
import { eventBody } from '../event-body.ts'
import { actorPath, commandHeaders, eventsQuery, listQuery, parse, parseEvent, stateQuery, typePath } from '../input.ts'
import { refusalProblem, sendProblem } from '../problem.ts'

const DEFAULT_PAGE = 100

export function actorRoutes(app: FastifyInstance, node: RuntimeNode): void {
  app.post('/v1/actors/:type', async (request, reply) => {
    const { type } = parse(typePath, request.params)
    return answer(reply, 201, await node.create(type, parseEvent(request.body), commandOptions(request)))
  })

  app.post('/v1/actors/:type/:id/commands', async (request, reply) => {
    const actor = actorIn(node, request)
    return answer(reply, 200, await actor.send(parseEvent(request.body), commandOptions(request)))
  })

  app.get('/v1/actors', async request => {
    const { type, after = 0, limit = DEFAULT_PAGE } = parse(listQuery, request.query)
    if (!node.actors.entities.has(type)) throw new AppError('unknown_type', `There is no entity '${type}'.`)
    const actors = await node.log.listActors(type, after, limit)
    const last = actors.at(-1)?.id
    return { actors, ...(actors.length < limit || last === undefined ? {} : { next: last }) }
  })

  app.get('/v1/actors/:type/:id', async (request, reply) => {
    const actor = actorIn(node, request)
    const { version, at } = parse(stateQuery, request.query)
    if (version !== undefined && at !== undefined)
      throw new AppError('invalid_input', 'Ask for a version or for a time, not for both.')
    const view =
      version !== undefined
        ? await actor.stateAt({ version })
        : at !== undefined
          ? await actor.stateAt({ at })
          : await actor.state()
    if (view.version === 0 && version === undefined && at === undefined)
      throw new AppError('not_found', `${formatActorRef(actor.ref)} has no events.`)
    if (version !== undefined && view.version !== version)
      throw new AppError(
        'not_found',
        `${formatActorRef(actor.ref)} has no version ${version}; its last is ${view.version}.`,
      )
    const etag = `"${view.version}"`
    reply.header('etag', etag)
    if (request.headers['if-none-match'] === etag) return reply.code(304).send()
    return viewBody(view)
  })

  app.get('/v1/actors/:type/:id/events', async request => {
    const actor = actorIn(node, request)
    const { from = 1, to, limit = DEFAULT_PAGE } = parse(eventsQuery, request.query)
    const last = Math.min(to ?? Number.MAX_SAFE_INTEGER, from + limit - 1)
    const events = (await Array.fromAsync(actor.history({ from, to: Math.min(last, 2_147_483_647) }))).flat()
    const reached = events.at(-1)?.version
    return {
      events: events.map(eventBody),
      ...(events.length < limit || reached === to || reached === undefined ? {} : { next: reached + 1 }),
    }
  })
}

function actorIn(node: RuntimeNode, request: FastifyRequest) {
  const { type, id } = parse(actorPath, request.params)
  return node.actor(type, actorId(id))
}

function commandOptions(request: FastifyRequest): CommandOptions {
  const headers = parse(commandHeaders, request.headers)
  return {
    ...(headers['idempotency-key'] === undefined ? {} : { commandId: headers['idempotency-key'] }),
    ...(headers['x-user-id'] === undefined ? {} : { userId: headers['x-user-id'] }),
    ...(headers['x-correlation-id'] === undefined ? {} : { correlation: headers['x-correlation-id'] }),
    ...(headers['if-match'] === undefined ? {} : { expectedVersion: headers['if-match'] }),
  }
}

function answer(reply: FastifyReply, status: number, result: CommandResult): FastifyReply | object {
  faultPoint('http.before-reply')
  if (!result.ok) return sendProblem(reply, refusalProblem(result))
  const { actor, event, repeated } = result
  reply.code(status).header('etag', `"${event.version}"`)
  if (status === 201) reply.header('location', `/v1/actors/${formatActorRef(actor)}`)
  return {
    actor: formatActorRef(actor),
    id: actor.id,
    version: event.version,
    position: event.position,
    state: event.state,
    at: event.at,
    repeated,
  }
}

function viewBody({ ref, version, state, context, allowed, at }: ActorView): object {
  return { actor: formatActorRef(ref), version, state, context: mask(context), allowed, at }
}
