/** Who did what, when: the log asked by user, actor, type and time. */
import type { RuntimeNode } from '../../app.ts'
import { parseActorRef } from '../../core/ids.ts'
import { eventPage, sealPage } from '../answers.ts'
import { answers } from '../api-document.ts'
import { eventBody } from '../event-body.ts'
import type { HttpApp } from '../http-app.ts'
import { auditQuery, sealsQuery } from '../input.ts'

export function auditRoutes(app: HttpApp, node: RuntimeNode): void {
  app.get(
    '/v1/audit',
    {
      schema: {
        summary: 'Who did what, when',
        operationId: 'audit',
        tags: ['audit'],
        querystring: auditQuery,
        ...answers({ 200: eventPage }),
      },
    },
    async request => {
      const { user, actor, ...query } = request.query
      const page = await node.log.audit({
        ...Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)),
        ...(user === undefined ? {} : { userId: user }),
        ...(actor === undefined ? {} : { actor: parseActorRef(actor) }),
      })
      return { ...page, events: page.events.map(eventBody) }
    },
  )

  app.get(
    '/v1/audit/seals',
    {
      schema: {
        summary: 'The seals over the log',
        operationId: 'listSeals',
        tags: ['audit'],
        querystring: sealsQuery,
        ...answers({ 200: sealPage }),
      },
    },
    async request => {
      const { after = 0, limit = 100 } = request.query
      const seals = await node.audit.seals(after, limit + 1)
      const page = seals.slice(0, limit)
      return seals.length > limit ? { seals: page, next: page.at(-1)?.number } : { seals: page }
    },
  )
}
