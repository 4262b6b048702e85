/** `rootstream users erase` */
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { actorId } from '../../core/ids.ts'
import { runs, withNode } from '../command.ts'
import { wholeNumber } from '../option-values.ts'

interface Flags {
  yes?: boolean
  rewriteClear?: boolean
  user?: number
}

export function eraseUserCommand(users: Command): void {
  const erase = users
    .command('erase <id>')
    .description('erase who a user was, for good; what was done under the id stays in the log')
    .option('--yes', 'do not ask')
    .option('--rewrite-clear', 'seal events where they stand that were written before personal data was sealed')
    .option('--user <id>', 'the user on whose behalf', wholeNumber)
    .addHelpText(
      'after',
      `
The user's key is destroyed: names, addresses, devices and networks cannot be read again, on no node and by no rebuild.
Sessions, factors, devices and streams end, and the names are free. Backups made before still hold what they hold.
With --rewrite-clear, rootstream audit verify names the events that were rewritten as changed.

Example:
  rootstream users erase 12`,
    )
  runs<Flags, [string]>(erase, (context, { yes, rewriteClear, user }, id) =>
    withNode(context, async node => {
      const userId = actorId(id)
      if (yes !== true) await confirm(userId)
      const erased = await node.accounts.administration.erase(userId, {
        ...(user === undefined ? {} : { by: user }),
        ...(rewriteClear === true ? { rewriteClear } : {}),
      })
      if (!erased.ok) throw new AppError('conflict', erased.detail)
      const { done, rewritten } = erased
      context.out.result({ userId, done, rewritten }, () => {
        if (rewritten > 0) context.out.line(`${rewritten} events were rewritten: they were in the clear.`)
        context.out.line(
          done
            ? `User ${userId} is erased.`
            : `The erasure of user ${userId} is in the log and not at its end yet: a running node goes on with it.`,
        )
      })
    }),
  )
}

async function confirm(userId: number): Promise<void> {
  if (!process.stdin.isTTY)
    throw new AppError('invalid_input', 'Nothing brings an erased user back. Nothing was changed; say --yes.')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await terminal.question(`Nothing brings user ${userId} back. Type the id to erase it: `)
    if (answer.trim() !== String(userId)) throw new AppError('invalid_input', 'Nothing was changed.')
  } finally {
    terminal.close()
  }
}
