/** A runtime, its API document, and answers of the one compared with the other. */
import { expect } from 'vitest'
import { createStillClock } from '../accounts/still-clock.ts'
import type { Answer } from '../support/http-client.ts'
import { startRuntime, type TestRuntime } from '../support/runtime.ts'
import { differences } from './json-schema.ts'

export type Json = Record<string, unknown>
export interface Operation {
  operationId: string
  summary: string
  security?: unknown[]
  parameters?: { name: string; in: string; required?: boolean; schema: Json }[]
  requestBody?: { content: Record<string, { schema: Json }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>
}
export interface Document {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Json>; securitySchemes: Record<string, Json> }
  security: Json[]
}

interface Asked {
  readonly params?: Json
  readonly query?: string
  readonly body?: object
  readonly headers?: Record<string, string>
}

export interface DocumentedRuntime {
  readonly runtime: TestRuntime
  readonly document: Document
  /** What the answer has that the document does not say of this route, or lacks. */
  undocumented(method: string, route: string, answer: Answer): readonly string[]
  /** Asks, and answers the body: of this status, and as the document says. */
  expectDocumented(method: string, route: string, status: number, asked?: Asked): Promise<Json>
}

export const ORIGIN = 'https://stream.example.org'
export const clock = createStillClock()

export async function startDocumentedRuntime(): Promise<DocumentedRuntime> {
  const runtime = await startRuntime({ accounts: { publicUrl: ORIGIN }, clock })
  const answer = await fetch(`${runtime.server.url}/openapi.json`)
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  const document = (await answer.json()) as Document

  function undocumented(method: string, route: string, answer: Answer): readonly string[] {
    const operation = document.paths[route]?.[method.toLowerCase()]
    if (operation === undefined) return [`${method} ${route} is not in the document`]
    const response = operation.responses[String(answer.status)] ?? operation.responses['default']
    const [contentType = ''] = (answer.headers['content-type'] ?? '').split(';')
    if (answer.body === null)
      return response?.content === undefined ? [] : [`${method} ${route} ${answer.status} should have a body`]
    const schema = response?.content?.[contentType]?.schema
    if (schema === undefined) return [`${method} ${route} ${answer.status} ${contentType} is not documented`]
    return differences(answer.body, schema, document).map(found => `${method} ${route} ${answer.status} ${found}`)
  }

  async function expectDocumented(method: string, route: string, status: number, options: Asked = {}): Promise<Json> {
    const filled = route.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(options.params?.[name]))
    const answer = await runtime.client.request(method, filled + (options.query ?? ''), options)
    expect(answer, `${method} ${route} ${JSON.stringify(answer.body)}`).toMatchObject({ status })
    expect(undocumented(method, route, answer)).toEqual([])
    return answer.body as Json
  }

  return { runtime, document, undocumented, expectDocumented }
}
