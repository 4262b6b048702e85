/** Commands to actors, their state now and then, and their events. */
import type { z } from 'zod'
import type { ActorHandle, ActorView } from '../../actors/api.ts'
import type { RuntimeNode } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import { actorId, formatActorRef, MAX_INT4 } from '../../core/ids.ts'
import { mask } from '../../core/mask.ts'
import { accepted, actorPage, actorView, eventPage, tentative } from '../answers.ts'
import { answers } from '../api-document.ts'
import { commandAnswer } from '../command-answer.ts'
import { headerOptions } from '../command-options.ts'
import type { CommandSchemas } from '../command-schemas.ts'
import { eventBody } from '../event-body.ts'
import type { HttpApp } from '../http-app.ts'
import {
  actorPath,
  asEvent,
  commandHeaders,
  eventEnvelope,
  eventsQuery,
  listQuery,
  stateHeaders,
  stateQuery,
  typePath,
} from '../input.ts'
import { matchesEtag } from '../match-etag.ts'
import { sendProblem } from '../problem.ts'

const DEFAULT_PAGE = 100

export function actorRoutes(app: HttpApp, node: RuntimeNode, schemas: CommandSchemas): void {
  commandRoutes(app, node, schemas)

  app.get(
    '/v1/actors',
    {
      schema: {
        summary: 'Actors of a type, by id',
        operationId: 'listActors',
        tags: ['actors'],
        querystring: listQuery,
        ...answers({ 200: actorPage }),
      },
    },
    async request => {
      const { type, after = 0, limit = DEFAULT_PAGE } = request.query
      if (!node.actors.entities.has(type)) throw new AppError('unknown_type', `There is no entity '${type}'.`)
      const actors = await node.log.listActors(type, after, limit)
      const last = actors.at(-1)?.id
      return { actors, ...(actors.length < limit || last === undefined ? {} : { next: last }) }
    },
  )

  app.get(
    '/v1/actors/:type/:id',
    {
      schema: {
        summary: 'The state of an actor, now or as it was',
        operationId: 'getActor',
        tags: ['actors'],
        params: actorPath,
        querystring: stateQuery,
        headers: stateHeaders,
        ...answers({ 200: actorView, 304: null }),
      },
    },
    async (request, reply) => {
      const view = await viewAt(node.actor(request.params.type, actorId(request.params.id)), request.query)
      // The version is no tag of a state with more on top of it.
      if (view.tentative) return viewBody(view)
      const etag = `"${view.version}"`
      reply.header('etag', etag)
      if (matchesEtag(request.headers['if-none-match'], etag)) return reply.code(304).send()
      return viewBody(view)
    },
  )

  app.get(
    '/v1/actors/:type/:id/events',
    {
      schema: {
        summary: 'The history of an actor',
        operationId: 'getHistory',
        tags: ['actors'],
        params: actorPath,
        querystring: eventsQuery,
        ...answers({ 200: eventPage }),
      },
    },
    async request => {
      const actor = node.actor(request.params.type, actorId(request.params.id))
      const { from = 1, to, limit = DEFAULT_PAGE } = request.query
      const last = Math.min(to ?? MAX_INT4, from + limit - 1, MAX_INT4)
      const events = (await Array.fromAsync(actor.history({ from, to: last }))).flat()
      const reached = events.at(-1)?.version
      return {
        events: events.map(eventBody),
        ...(events.length < limit || reached === to || reached === undefined ? {} : { next: reached + 1 }),
      }
    },
  )
}

function commandRoutes(app: HttpApp, node: RuntimeNode, schemas: CommandSchemas): void {
  app.post(
    '/v1/actors/:type',
    {
      config: { documentedBody: schemas.creation },
      schema: {
        summary: 'Create an actor by its first event',
        operationId: 'createActor',
        tags: ['commands'],
        params: typePath,
        headers: commandHeaders,
        body: eventEnvelope,
        ...answers({ 201: accepted }, { refusals: true }),
      },
    },
    async (request, reply) => {
      const result = await node.create(request.params.type, asEvent(request.body), headerOptions(request.headers))
      const answer = commandAnswer(201, result)
      if ('problem' in answer) return sendProblem(reply, answer.problem)
      if (answer.status === 202) throw new Error('an actor was created beside the log')
      return reply
        .code(answer.status)
        .header('etag', `"${answer.body.version}"`)
        .header('location', `/v1/actors/${answer.body.actor}`)
        .send(answer.body)
    },
  )

  app.post(
    '/v1/actors/:type/:id/commands',
    {
      config: { documentedBody: schemas.command },
      schema: {
        summary: 'Send an event to an actor',
        operationId: 'sendCommand',
        tags: ['commands'],
        params: actorPath,
        headers: commandHeaders,
        body: eventEnvelope,
        ...answers({ 200: accepted, 202: tentative }, { refusals: true }),
      },
    },
    async (request, reply) => {
      const actor = node.actor(request.params.type, actorId(request.params.id))
      const answer = commandAnswer(200, await actor.send(asEvent(request.body), headerOptions(request.headers)))
      if ('problem' in answer) return sendProblem(reply, answer.problem)
      if (answer.status === 202) return reply.code(202).send(answer.body)
      return reply.code(answer.status).header('etag', `"${answer.body.version}"`).send(answer.body)
    },
  )
}

async function viewAt(actor: ActorHandle, { version, at }: z.output<typeof stateQuery>): Promise<ActorView> {
  if (version !== undefined && at !== undefined)
    throw new AppError('invalid_input', 'Ask for a version or for a time, not for both.')
  if (at !== undefined) return actor.stateAt({ at })
  const name = formatActorRef(actor.ref)
  if (version === undefined) {
    const view = await actor.state()
    if (view.version === 0) throw new AppError('not_found', `${name} has no events.`)
    return view
  }
  const view = await actor.stateAt({ version })
  if (view.version !== version)
    throw new AppError('not_found', `${name} has no version ${version}; its last is ${view.version}.`)
  return view
}

function viewBody({ ref, version, state, context, allowed, at, pending }: ActorView): object {
  const body = { actor: formatActorRef(ref), version, state, context: mask(context), allowed, at }
  return pending === undefined ? body : { ...body, tentative: true, pending }
}
