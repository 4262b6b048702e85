/** `rootstream audit` */
import type { Command } from 'commander'
import { parseActorRef } from '../../core/ids.ts'
import { mask } from '../../core/mask.ts'
import type { AuditQuery } from '../../core/ports.ts'
import { runs, withLog } from '../command.ts'
import { isoTime, pageSize, wholeNumber } from '../option-values.ts'
import { sealCommands } from './audit-seals.ts'

interface AuditOptions {
  user?: number
  actor?: string
  actorType?: string
  type?: string
  since?: string
  until?: string
  after?: number
  limit: number
}

export function auditCommand(program: Command): void {
  const command = program
    .command('audit')
    .description('who did what, when; and the proof that nothing of it was changed')
    // Options after `verify` are its own.
    .enablePositionalOptions()
    .option('--user <id>', 'events this user caused', wholeNumber)
    .option('--actor <actor>', 'events of this actor (stream/123)')
    .option('--actor-type <type>', 'events of actors of this type')
    .option('--type <event>', 'events of this type')
    .option('--since <time>', 'from this time on (ISO 8601)', isoTime)
    .option('--until <time>', 'before this time (ISO 8601)', isoTime)
    .option('--after <position>', 'the next page: what the one before ended with', wholeNumber)
    .option('--limit <n>', 'at most this many, up to 1000', pageSize, 100)
    .addHelpText(
      'after',
      '\nExamples:\n  rootstream audit --user 7 --since 2026-11-01T00:00:00Z\n  rootstream audit --type session.revoked --json\n  rootstream audit verify --seals seals.jsonl',
    )
  runs<AuditOptions, []>(command, (context, { user, actor, json: _, ...rest }: AuditOptions & { json?: boolean }) =>
    withLog(context, async store => {
      const query: AuditQuery = {
        ...rest,
        ...(user === undefined ? {} : { userId: user }),
        ...(actor === undefined ? {} : { actor: parseActorRef(actor) }),
      }
      const page = await store.audit(query)
      const events = page.events.map(event => ({ ...event, data: mask(event.data) }))
      context.out.result({ ...page, events }, () => {
        context.out.table(
          events.map(event => ({ ...event, actor: `${event.actorType}/${event.actorId}`, user: event.userId })),
          ['position', 'at', 'actor', 'version', 'type', 'user', 'node', 'data'],
        )
        if (page.next !== undefined) context.out.line(`more: --after ${page.next}`)
      })
    }),
  )
  sealCommands(command)
}
