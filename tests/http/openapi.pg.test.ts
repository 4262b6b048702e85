/** The API document: it is OpenAPI, and shows every route and every event. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/core/errors.ts'
import { entities } from '../../src/machines/index.ts'
import type { TestRuntime } from '../support/runtime.ts'
import { type Document, type Operation, startDocumentedRuntime } from './documented-runtime.ts'
import { differences, resolve } from './json-schema.ts'

let runtime: TestRuntime
let document: Document
beforeAll(async () => {
  ;({ runtime, document } = await startDocumentedRuntime())
})
afterAll(() => runtime.stop())

function operations(): { method: string; route: string; operation: Operation }[] {
  return Object.entries(document.paths).flatMap(([route, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, route, operation })),
  )
}

describe('the document', () => {
  test('is OpenAPI 3.1 that holds together', () => {
    expect(document).toMatchObject({
      openapi: '3.1.0',
      info: { title: expect.any(String), version: expect.any(String) },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    })
    for (const { method, route, operation } of operations()) {
      expect(['get', 'post']).toContain(method)
      expect(operation.summary, route).toEqual(expect.any(String))
      const inPath = [...route.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
      const declared = (operation.parameters ?? []).filter(parameter => parameter.in === 'path')
      expect(declared.map(({ name }) => name)).toEqual(inPath)
      for (const parameter of operation.parameters ?? []) {
        expect(['path', 'query', 'header']).toContain(parameter.in)
        expect(parameter.required, `${route} ${parameter.name}`).toBe(
          parameter.in === 'path' || (route === '/v1/actors' && parameter.name === 'type'),
        )
        expect(Object.keys(parameter.schema), `${route} ${parameter.name}`).toContain('type')
      }
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(status).toMatch(/^[2-5]\d\d$|^default$/)
        expect(response.description, `${route} ${status}`).not.toBe('Default Response')
      }
      expect(Object.keys(operation.responses).length).toBeGreaterThan(1)
    }
    const ids = operations().map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('refers to all of its components and to nothing else', () => {
    const text = JSON.stringify(document)
    const referred = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference = '']) => reference))
    for (const reference of referred) expect(() => resolve(reference, document)).not.toThrow()
    expect([...referred].map(reference => reference.replace('#/components/schemas/', '')).sort()).toEqual(
      Object.keys(document.components.schemas).sort(),
    )
    for (const name of Object.keys(document.components.schemas)) expect(name).toMatch(/^[a-zA-Z0-9._-]+$/)
  })

  test('has every route of the server', async () => {
    const folder = path.resolve(import.meta.dirname, '../../src/http/routes')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
    const source = files.map(file => readFileSync(path.join(folder, file), 'utf8'))
    const registered = [...source.join().matchAll(/\bapp\.(\w+)\(\s*'([^']+)'/g)].map(
      ([, method, route = '']) => `${method} ${route.replaceAll(/:(\w+)/g, '{$1}')}`,
    )
    expect(registered.length).toBeGreaterThan(10)
    const documented = operations().map(({ method, route }) => `${method} ${route}`)
    expect(documented.sort()).toEqual(registered.sort())
    for (const { method, route } of operations()) {
      if (route === '/v1/events/stream') continue
      const answer = await fetch(runtime.server.url + route.replaceAll(/\{\w+\}/g, '0'), { method })
      expect(await answer.text(), route).not.toContain('no such route')
    }
  })

  test('says which routes are open, and they are the only ones', async () => {
    for (const { method, route, operation } of operations()) {
      const answer = await fetch(runtime.server.url + route.replaceAll(/\{\w+\}/g, '1'), { method })
      await answer.body?.cancel()
      expect(answer.status === 401, `${method} ${route}`).toBe(operation.security?.length !== 0)
    }
  })

  test('shows each event that can be sent, and the codes of all errors', () => {
    const { schemas } = document.components
    for (const entity of entities) {
      const sendable = Object.entries(entity.events).filter(([, { internal }]) => !internal)
      const name = entity.type.split('-').map(word => word.charAt(0).toUpperCase() + word.slice(1))
      const command = schemas[`${name.join('')}Command`] as {
        oneOf: { $ref: string }[]
      }
      const shown = command.oneOf.map(({ $ref }) => {
        const { properties } = resolve($ref, document) as { properties: { type: { const: string } } }
        return properties.type.const
      })
      expect(shown).toEqual(sendable.map(([type]) => type))
    }
    const created = { type: 'stream.created', userId: 1, name: 'x', streamKey: 'k' }
    const creation =
      document.paths['/v1/actors/{type}']?.['post']?.requestBody?.content['application/json']?.schema ?? {}
    expect(differences(created, creation, document)).toEqual([])
    expect(differences({ ...created, userId: 0 }, creation, document)).not.toEqual([])
    expect(differences({ ...created, admin: true }, creation, document)).not.toEqual([])
    expect(differences({ type: 'stream.started' }, creation, document), 'no first event').not.toEqual([])
    const { properties } = schemas['Problem'] as { properties: { code: { enum: string[] } } }
    expect(properties.code.enum).toEqual([...Object.keys(ERRORS), 'internal'])
  })
})
