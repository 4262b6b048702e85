/** The OpenAPI document, made from the schemas that the routes are registered with. */
import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ACCOUNT_REFUSALS } from '../accounts/answers.ts'
import { accountRefusal, NAMED, problem, refusal } from './answers.ts'
import type { HttpApp } from './http-app.ts'
import { wholeText } from './input.ts'
import { USER_ROUTES } from './route-permissions.ts'

const JSON_TYPE = 'application/json'
const PROBLEM_TYPE = 'application/problem+json'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the document shows as the body, where the route checks less because the actors check the rest. */
    documentedBody?: z.ZodType
  }
}

interface Content {
  readonly contentType: string
  readonly schema: z.ZodType
}

/** A schema of a JSON body, the schema of another content type, several to choose from by Accept, or null for no body. */
type Answer = z.ZodType | Content | readonly Content[] | null

/** The `response` of a route: its answers by status, and problem+json for all others. */
export function answers(
  given: Readonly<Record<number, Answer>>,
  options: { refusals?: boolean; account?: boolean } = {},
): { response: unknown } {
  const refused = { contentType: PROBLEM_TYPE, schema: z.union([refusal, problem]) }
  const byAccounts = { contentType: PROBLEM_TYPE, schema: z.union([accountRefusal, problem]) }
  const statuses = Object.values(ACCOUNT_REFUSALS).map(({ status }) => [status, byAccounts] as const)
  const all = {
    ...given,
    ...(options.refusals === true ? { 409: refused, 412: refused, 422: refused } : {}),
    ...(options.account === true ? Object.fromEntries(statuses) : {}),
  }
  const response = Object.entries(all).map(([status, answer]) => [
    status,
    documented(STATUS_CODES[status] ?? status, answer),
  ])
  return {
    response: {
      ...Object.fromEntries(response),
      default: documented('A problem', { contentType: PROBLEM_TYPE, schema: problem }),
    },
  }
}

function documented(description: string, answer: Answer): object {
  if (answer === null) return z.null().describe(description)
  const contents = answer instanceof z.ZodType ? [{ contentType: JSON_TYPE, schema: answer }] : [answer].flat()
  return {
    description,
    content: Object.fromEntries(contents.map(({ contentType, schema }) => [contentType, { schema }])),
  }
}

/** To be called before any route is registered. `named` schemas become components of the document. */
export async function registerApiDocument(app: HttpApp, named: Readonly<Record<string, z.ZodType>>): Promise<void> {
  const schemaRegistry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries({ ...NAMED, ...named })) schemaRegistry.add(schema, { id })
  const options = { schemaRegistry, zodToJsonConfig: { override } }
  const transform = createJsonSchemaTransform(options)
  const transformObject = createJsonSchemaTransformObject(options)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'RootStream Runtime',
        version: '1',
        description:
          'Over TCP each request carries the bearer token of the node; over the Unix socket the permissions of its file decide. ' +
          'Errors and refusals are problem+json.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          session: { type: 'http', scheme: 'bearer', description: 'The token of a session, as a login gives it.' },
        },
      },
      security: [{ bearer: [] }],
    },
    transform: given => {
      const { documentedBody: body, open, forUsers } = given.route.config ?? {}
      const access = USER_ROUTES[`${given.route.method} ${given.route.url}`]
      const unguarded = open === true || access === 'anyone'
      const schema = {
        ...given.schema,
        ...(body === undefined ? {} : { body }),
        ...(unguarded ? { security: [] } : forUsers === true ? { security: [{ session: [] }] } : {}),
      }
      return transform({ ...given, schema })
    },
    transformObject: document => tidied(transformObject(document)) as ReturnType<typeof transformObject>,
  })
}

function override({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: Record<string, unknown> }): void {
  if (zodSchema === wholeText) {
    delete jsonSchema['pattern']
    Object.assign(jsonSchema, { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
  }
  const description = zodSchema instanceof z.ZodType ? zodSchema.description : undefined
  if (description !== undefined) jsonSchema['description'] ??= description
}

interface Document {
  components?: { schemas?: Record<string, unknown> }
}

const INPUT = /Input$/
const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g

/** Each schema comes as it is sent and as it is answered: what nothing refers to goes, what is left has its plain name. */
function tidied(document: object): object {
  const { components, ...rest } = document as Document
  const all = components?.schemas ?? {}
  const used = new Set<string>()
  const use = (part: unknown) => {
    for (const [, name = ''] of JSON.stringify(part).matchAll(REFERENCE)) {
      if (used.has(name)) continue
      used.add(name)
      use(all[name])
    }
  }
  use(rest)
  const plain = (name: string) => (used.has(name.replace(INPUT, '')) ? name : name.replace(INPUT, ''))
  const schemas = Object.fromEntries([...used].sort().map(name => [plain(name), all[name]]))
  const text = JSON.stringify({ ...rest, components: { ...components, schemas } })
  return JSON.parse(text.replace(REFERENCE, (_, name: string) => `"#/components/schemas/${plain(name)}"`))
}
