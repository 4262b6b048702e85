/** Whether the node lives, whether it is ready, and how far the read tables are. */
import type { FastifyInstance } from 'fastify'
import type { RuntimeNode } from '../../app.ts'

export function statusRoutes(app: FastifyInstance, node: RuntimeNode): void {
  // Alive and honest: the report says which part is away; a supervisor restarts only a node that does not answer at all.
  app.get('/health', { config: { open: true } }, async (_request, reply) => {
    const report = await node.health()
    return reply.code(report.status === 'down' ? 503 : 200).send(report)
  })

  // Ready to be sent work: commands are taken and what they led to can be read.
  app.get('/ready', { config: { open: true } }, async (_request, reply) => {
    const { components } = await node.health()
    const ready = components.log.status === 'ok' && components.projections.status !== 'down'
    return reply
      .code(ready ? 200 : 503)
      .send({ ready, log: components.log.status, projections: components.projections.status })
  })

  app.get('/v1/projections', async () => ({
    ...(await node.projections.status()),
    parked: await node.projections.failures(),
  }))
}
