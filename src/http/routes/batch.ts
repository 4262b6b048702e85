/** Many commands in one request, each with an answer of its own. */
import type { z } from 'zod'
import type { CommandOptions } from '../../actors/command.ts'
import type { RuntimeNode } from '../../app.ts'
import { AppError } from '../../core/errors.ts'
import { parseActorRef } from '../../core/ids.ts'
import { MAX_DEPTH } from '../../core/json.ts'
import { batchResults } from '../answers.ts'
import { answers } from '../api-document.ts'
import { type CommandAnswer, commandAnswer } from '../command-answer.ts'
import { optionsOf } from '../command-options.ts'
import type { CommandSchemas } from '../command-schemas.ts'
import { type HttpApp, type HttpShared, problemFor } from '../http-app.ts'
import { asEvent, batchBody, batchHeaders, eventEnvelope } from '../input.ts'

/** Levels of a batch around the events in it. */
const AROUND_EVENTS = 3

const body = batchBody(eventEnvelope)
type Item = z.output<typeof body>['commands'][number]

export function batchRoutes(app: HttpApp, { node, limits, log }: HttpShared, schemas: CommandSchemas): void {
  app.post(
    '/v1/commands',
    {
      bodyLimit: limits.batchBody,
      config: {
        countsAs: 'batch',
        maxDepth: MAX_DEPTH + AROUND_EVENTS,
        documentedBody: batchBody(schemas.command),
      },
      schema: {
        summary: 'Send up to 1,000 commands',
        description:
          'A batch is no transaction: each command is taken or refused by itself, and 200 says that each has its answer. ' +
          'Commands to one actor are applied in their order; between actors there is none. ' +
          'A batch that is malformed as a whole is answered with 400, and nothing of it is taken.',
        operationId: 'sendBatch',
        tags: ['commands'],
        headers: batchHeaders,
        body,
        ...answers({ 200: batchResults }),
      },
    },
    async request => {
      const {
        'idempotency-key': key,
        'x-user-id': userId,
        'x-correlation-id': correlation,
        traceparent,
      } = request.headers
      // Read past the schema: it belongs to one command, and left unseen it would guard nothing.
      if (request.raw.headers['if-match'] !== undefined)
        throw new AppError(
          'invalid_input',
          'if-match: give expectedVersion in each command instead. Nothing was changed.',
        )
      // All are sent before the first is waited for, so they share commits.
      const results = await Promise.all(
        request.body.commands.map(async (item, index): Promise<CommandAnswer> => {
          try {
            const commandId = item.commandId ?? (key === undefined ? undefined : `${key}/${index}`)
            const options = { userId, correlation, traceparent, ...item, commandId }
            return await sendOne(node, item, optionsOf(options))
          } catch (error) {
            const problem = problemFor(error, log, { method: 'POST', route: '/v1/commands', item: index })
            return { status: problem.status, problem }
          }
        }),
      )
      return { results }
    },
  )
}

async function sendOne(node: RuntimeNode, item: Item, options: CommandOptions): Promise<CommandAnswer> {
  const event = asEvent(item.event as z.output<typeof eventEnvelope>)
  if (!item.actor.includes('/')) return commandAnswer(201, await node.create(item.actor, event, options))
  const { type, id } = parseActorRef(item.actor)
  return commandAnswer(200, await node.actor(type, id).send(event, options))
}
