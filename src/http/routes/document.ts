/** The API document. It shows what can be asked and nothing of what the node holds, so it is open to all. */
import { z } from 'zod'
import { answers } from '../api-document.ts'
import type { HttpApp } from '../http-app.ts'

export function documentRoutes(app: HttpApp): void {
  let text: string | undefined
  app.get(
    '/openapi.json',
    {
      config: { open: true },
      schema: {
        summary: 'This document',
        operationId: 'getDocument',
        tags: ['node'],
        ...answers({ 200: z.record(z.string(), z.unknown()) }),
      },
    },
    async (_request, reply) => {
      text ??= JSON.stringify(app.swagger())
      return reply.type('application/json; charset=utf-8').send(text)
    },
  )
}
