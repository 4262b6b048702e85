/** `rootstream users reset-mfa` */
import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { actorId } from '../../core/ids.ts'
import { runs, withNode } from '../command.ts'

export function resetMfaCommand(users: Command): void {
  const command = users
    .command('reset-mfa <id>')
    .description('take all second factors of a user away and end all sessions')
    .addHelpText(
      'after',
      '\nFor a user who has lost both the factors and the backup codes: make sure who asks.\n\nExample:\n  rootstream users reset-mfa 7',
    )
  runs<object, [string]>(command, (context, _, text) =>
    withNode(context, async node => {
      const id = actorId(text)
      if ((await node.actor('user', id).state()).version === 0)
        throw new AppError('not_found', `There is no user ${id}. Nothing was changed.`)
      const removed = await node.accounts.resetFactors(id, { reason: 'reset from the command line' })
      context.out.result({ user: id, removed }, () =>
        context.out.line(`User ${id} has no factors any more (${removed} removed), and no open session.`),
      )
    }),
  )
}
