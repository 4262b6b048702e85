/** What answers hold, as the API document shows it. */
import { z } from 'zod'
import { ACCOUNT_REFUSALS, type AccountRefusalReason } from '../accounts/answers.ts'
import { ERRORS, type ErrorCode } from '../core/errors.ts'
import type { RefusalReason } from '../core/result.ts'
import { FACTOR_METHODS } from '../machines/factor/events.ts'
import { INTERNAL, REFUSALS } from './problem.ts'

const version = z.int().min(0)
const position = z.int().min(0)
const address = z.string().describe('`type/id`')
const stateText = z
  .string()
  .describe('A state, or where states nest or run side by side, their JSON: `{"live":"recording"}`.')
const time = z.iso.datetime()
const data = z.record(z.string(), z.unknown())

const problemFields = {
  type: z.string().describe('A URN made of the code.'),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe('What happened, what was not lost and what to do next.'),
  retryable: z.boolean().describe('Whether the same request, under the same idempotency key, may succeed later.'),
}

export const problem = z.object({
  ...problemFields,
  code: z.enum([...(Object.keys(ERRORS) as ErrorCode[]), INTERNAL.code]),
})

export const refusal = z
  .object({
    ...problemFields,
    code: z.enum(Object.keys(REFUSALS) as RefusalReason[]),
    actor: address,
    state: stateText,
    version,
    allowed: z.array(z.string()).describe('Types of the events this state takes.'),
  })
  .describe('A command that was understood and not taken. Nothing was written; its command id is not spent.')

export const accountRefusal = z
  .object({
    ...problemFields,
    code: z.enum(Object.keys(ACCOUNT_REFUSALS) as AccountRefusalReason[]),
    factors: z
      .array(z.enum([...FACTOR_METHODS, 'password']))
      .optional()
      .describe('Of `factor_required`: what the user can show.'),
  })
  .describe('What was asked for was understood and refused.')

export const accepted = z
  .object({
    actor: address,
    id: z.int().min(1),
    version,
    position,
    state: stateText,
    at: time,
    repeated: z.boolean().describe('The command id had been spent on this very command: this is its first outcome.'),
    absorbed: address
      .optional()
      .describe(
        'The command was taken while Postgres was away, and what others had written left nothing of it: the record of that.',
      ),
  })
  .describe('A command that was taken. Its event is durable.')

export const tentative = z
  .object({
    actor: address,
    id: z.int().min(1),
    tentative: z.literal(true),
    basis: version.describe('Version of the actor it was decided on.'),
    state: stateText,
    at: time,
    repeated: z.boolean().describe('This node had taken this very command before.'),
  })
  .describe(
    'A command that was taken while Postgres is away. Its event is on the disk of this node, has no version and no position yet, ' +
      'and is merged into the log when that is back. The same idempotency key asks what became of it.',
  )

export const event = z.object({
  actor: address,
  type: z.string(),
  schemaVersion: z.int().min(1),
  data: data.describe('As it was written under that schema version; secrets are masked.'),
  state: stateText.describe('The state the event led to.'),
  at: time,
  userId: z.int().nullable(),
  commandId: z.string().nullable(),
  causation: position.nullable().describe('Position of the event that caused this one.'),
  correlation: z.string().nullable(),
  position: position.describe('Place in the order of the whole log.'),
  version: version.describe('Place in the history of the actor.'),
  node: z.string(),
  incarnation: z.int().describe('Which start of that node.'),
  n: z.int().describe('The number of the append within that start.'),
  token: z.int().nullable().describe('The fencing token it was written under.'),
  origin: z
    .object({
      basis: version.describe('Version of the actor it was decided on.'),
      clock: z.string().describe('Hybrid logical clock of the acceptance.'),
      node: z.string(),
      incarnation: z.int(),
      n: z.int(),
      extra: z
        .array(z.tuple([z.string(), z.int()]))
        .optional()
        .describe(
          'Dots of other nodes (`node#incarnation`, n) that its writer had heard of before they were in the log.',
        ),
      observed: data.optional().describe('What merging had to know of the state it was decided on.'),
      given: data.optional().describe('The data as it was sent, where merging changed it.'),
      conflict: data.optional().describe('What merging could not keep of both sides.'),
    })
    .optional()
    .describe('Only of an event that a node accepted while Postgres was away.'),
  erased: z
    .literal(true)
    .optional()
    .describe('The user it is about was erased: placeholders stand for what was said of that user.'),
})

export const actorView = z.object({
  actor: address,
  version,
  state: stateText,
  context: data,
  allowed: z.array(z.string()),
  at: time.nullable(),
  tentative: z
    .literal(true)
    .optional()
    .describe('Commands that were accepted without Postgres, here or on other nodes, are on top of the version.'),
  pending: z
    .object({
      own: z.int().min(0).describe('Accepted by this node.'),
      others: z.int().min(0).describe('Accepted by other nodes, as far as this one has heard.'),
    })
    .optional()
    .describe('How many these are; with `tentative` only.'),
})

const format = z.int().min(1).describe('Grows when older readers could misread it.')
const shape = z.int().min(1).describe('Shape of the context. A delta fits a snapshot of the same one.')
const id = z.int().min(1)

export const snapshot = z
  .object({
    type: z.string(),
    id,
    version: z.int().min(1),
    stateVersion: shape,
    format,
    state: z.object({ value: z.union([z.string(), data]), context: data }),
    at: time,
  })
  .describe('The whole state of an actor at a version; secrets are masked.')

const deltaHead = { type: z.string(), id, from: version, to: z.int().min(1), stateVersion: shape, format }

export const delta = z
  .union([
    z.object({
      ...deltaHead,
      kind: z.literal('events'),
      events: z.array(
        z.object({
          version: z.int().min(1),
          position,
          type: z.string(),
          schemaVersion: z.int().min(1),
          data,
          state: stateText,
          at: time,
        }),
      ),
    }),
    z.object({ ...deltaHead, kind: z.literal('snapshot'), snapshot }),
  ])
  .describe('The events after `from`, up to `to`; or the snapshot at `to`, where those would be more.')

const next = z.int().optional().describe('Where the next page starts; absent on the last.')

export const actorPage = z.object({
  actors: z.array(z.object({ id: z.int().min(1), version, state: stateText, at: time })),
  next,
})

export const eventPage = z.object({ events: z.array(event), next })

export const liveFigures = z.object({
  actor: address,
  values: z.record(z.string(), z.union([z.number(), z.string()])).describe('By field, merged over all nodes.'),
})

const hash = z.string().describe('SHA-256 in hex.')

export const sealPage = z.object({
  seals: z.array(
    z.object({
      number: z.int().min(1),
      first: position.describe('The seal covers all that lies after the last position of the seal before.'),
      last: position,
      events: z.int().min(1),
      eventsHash: hash,
      marksHash: hash,
      previous: hash,
      sealedAt: time,
      hash: hash.describe('Over all of the above.'),
    }),
  ),
  next,
})

export const batchResults = z
  .object({
    results: z.array(
      z.union([
        z.object({ status: z.literal([200, 201]), body: accepted }),
        z.object({ status: z.literal(202), body: tentative }),
        z.object({ status: z.int(), problem: z.union([refusal, problem]) }),
      ]),
    ),
  })
  .describe('One result for each command, in their order, with the status and body the command alone would have had.')

export const projections = z.object({
  position,
  head: position,
  lag: z.int().min(0).describe('Positions between the two.'),
  failures: z.int().min(0),
  parked: z
    .array(
      z.object({
        actorType: z.string(),
        actorId: z.int(),
        position,
        error: z.string(),
        failedAt: z.string(),
      }),
    )
    .describe('Actors whose rows stand still until they can be projected again.'),
})

const componentStatus = z.enum(['ok', 'degraded', 'down'])
const component = z.object({ status: componentStatus, detail: data })

export const health = z.object({
  status: componentStatus,
  node: z.string(),
  components: z.object({
    log: component,
    projections: component,
    bus: component,
    actors: component,
    journal: component,
    keys: component.describe('The key ring that secrets of accounts are sealed under.'),
    audit: component,
    accounts: component,
  }),
})

export const readiness = z.object({ ready: z.boolean(), log: componentStatus, projections: componentStatus })

/** Answers that have a name in the document. */
export const NAMED: Readonly<Record<string, z.ZodType>> = {
  Problem: problem,
  Refusal: refusal,
  AccountRefusal: accountRefusal,
  Accepted: accepted,
  Tentative: tentative,
  Event: event,
  ActorView: actorView,
  ActorPage: actorPage,
  EventPage: eventPage,
  Snapshot: snapshot,
  Delta: delta,
  SealPage: sealPage,
  LiveFigures: liveFigures,
  BatchResults: batchResults,
  Projections: projections,
  Health: health,
  Readiness: readiness,
}
