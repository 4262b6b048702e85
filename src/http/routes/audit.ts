/** Who did what, when: the log asked by user, actor, type and time. */
import type { FastifyInstance } from 'fastify'
import type { RuntimeNode } from '../../app.ts'
import { parseActorRef } from '../../core/ids.ts'
import { eventBody } from '../event-body.ts'
import { auditQuery, parse, sealsQuery } from '../input.ts'

export function auditRoutes(app: FastifyInstance, node: RuntimeNode): void {
  app.get('/v1/audit', async request => {
    const { user, actor, ...query } = parse(auditQuery, request.query)
    const page = await node.log.audit({
      ...Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)),
      ...(user === undefined ? {} : { userId: user }),
      ...(actor === undefined ? {} : { actor: parseActorRef(actor) }),
    })
    return { ...page, events: page.events.map(eventBody) }
  })

  app.get('/v1/audit/seals', async request => {
    const { after = 0, limit = 100 } = parse(sealsQuery, request.query)
    const seals = await node.audit.seals(after, limit + 1)
    const page = seals.slice(0, limit)
    return seals.length > limit ? { seals: page, next: page.at(-1)?.number } : { seals: page }
  })
}
