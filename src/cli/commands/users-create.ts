/** `rootstream users create` */
import type { Command } from 'commander'
import { AppError } from '../../core/errors.ts'
import { runs, withNode } from '../command.ts'
import { readPassword } from '../read-password.ts'

interface CreateOptions {
  readonly admin?: boolean
  readonly operator?: boolean
  readonly displayName?: string
}

export function usersCreateCommand(users: Command): void {
  const create = users
    .command('create <username> <email>')
    .description('open an account; its password is asked for, or read from standard input')
    .option('--admin', 'an administrator: the first one is made so')
    .option('--operator', 'an operator')
    .option('--display-name <name>', 'the name people are shown')
    .addHelpText(
      'after',
      '\nThe password is never an argument: those are seen by everybody on the machine.\n\nExamples:\n  rootstream users create ada ada@example.org --admin\n  rootstream users create ada ada@example.org --admin < password.txt',
    )
  runs<CreateOptions, [string, string]>(create, async (context, { admin, operator, displayName }, username, email) => {
    const password = await readPassword(`Password for ${username}`)
    await withNode(context, async node => {
      const role = admin === true ? 'admin' : operator === true ? 'operator' : 'viewer'
      const registered = await node.accounts.register(
        { username, email, password, ...(displayName === undefined ? {} : { displayName }) },
        { roles: [role] },
      )
      if (!registered.ok) throw new AppError('invalid_input', `${registered.detail} Nothing was written.`)
      const { userId, username: kept } = registered
      context.out.result({ userId, username: kept, role }, () =>
        context.out.line(`User ${userId}, ${kept}, is ${role === 'viewer' ? 'a' : 'an'} ${role}.`),
      )
    })
  })
}
