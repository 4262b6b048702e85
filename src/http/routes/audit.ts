/** Who did what, when: the log asked by user, actor, type and time. */
import type { RuntimeNode } from '../../app.ts'
import { parseActorRef } from '../../core/ids.ts'
import { eventPage } from '../answers.ts'
import { answers } from '../api-document.ts'
import { eventBody } from '../event-body.ts'
import type { HttpApp } from '../http-app.ts'
import { auditQuery } from '../input.ts'

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
}
