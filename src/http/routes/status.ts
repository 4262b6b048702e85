/** Whether the node lives, whether it is ready, how far the read tables are, and figures of all of it. */
import { z } from 'zod'
import type { HealthReport } from '../../health.ts'
import { health as healthAnswer, projections as projectionsAnswer, readiness } from '../answers.ts'
import { answers } from '../api-document.ts'
import type { HttpApp, HttpShared } from '../http-app.ts'

export function statusRoutes(app: HttpApp, { node, metrics }: HttpShared): void {
  // Open to all, so however many ask at once, the database is asked once.
  let asked: Promise<HealthReport> | undefined
  const health = () => {
    asked ??= node.health().finally(() => {
      asked = undefined
    })
    return asked
  }

  // Alive and honest: the report says which part is away; a supervisor restarts only a node that does not answer at all.
  app.get(
    '/health',
    {
      config: { open: true },
      schema: {
        summary: 'What is well and what is not',
        operationId: 'getHealth',
        tags: ['node'],
        ...answers({ 200: healthAnswer, 503: healthAnswer }),
      },
    },
    async (_request, reply) => {
      const report = await health()
      return reply.code(report.status === 'down' ? 503 : 200).send(report)
    },
  )

  // Ready to be sent work: commands are taken and what they led to can be read.
  app.get(
    '/ready',
    {
      config: { open: true },
      schema: {
        summary: 'Whether work may be sent',
        operationId: 'getReadiness',
        tags: ['node'],
        ...answers({ 200: readiness, 503: readiness }),
      },
    },
    async (_request, reply) => {
      const { components } = await health()
      const ready = components.log.status === 'ok' && components.projections.status !== 'down'
      return reply
        .code(ready ? 200 : 503)
        .send({ ready, log: components.log.status, projections: components.projections.status })
    },
  )

  app.get(
    '/v1/projections',
    {
      schema: {
        summary: 'How far the read tables are, and what is parked',
        operationId: 'getProjections',
        tags: ['projections'],
        ...answers({ 200: projectionsAnswer }),
      },
    },
    async () => ({
      ...(await node.projections.status()),
      parked: await node.projections.failures(),
    }),
  )

  app.get(
    '/metrics',
    {
      // To be seen above all when the node is full.
      config: { countsAs: 'apart' },
      schema: {
        summary: 'Figures for Prometheus',
        operationId: 'getMetrics',
        tags: ['node'],
        ...answers({ 200: { contentType: 'text/plain', schema: z.string() } }),
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()),
  )
}
