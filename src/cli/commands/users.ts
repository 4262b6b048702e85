/** `rootstream users list | show | create | roles | deactivate | reactivate | sessions | revoke | reset-mfa | erase` */
import { type Command, InvalidArgumentError } from 'commander'
import type { AccountView, Administration, Changed } from '../../accounts/administration.ts'
import type { AccountRefusal } from '../../accounts/answers.ts'
import { AppError } from '../../core/errors.ts'
import { MAX_INT4 } from '../../core/ids.ts'
import { ROLES, type Role } from '../../machines/user/events.ts'
import { type CommandContext, runs, withNode } from '../command.ts'
import { pageSize, wholeNumber } from '../option-values.ts'
import { readPassword } from '../read-password.ts'
import { resetMfaCommand } from './reset-mfa.ts'
import { eraseUserCommand } from './users-erase.ts'

const DEFAULT_PAGE = 100

export function usersCommand(program: Command): void {
  const users = program.command('users').description('look at accounts and change them')
  lookCommands(users)
  createCommand(users)
  changeCommands(users)
  resetMfaCommand(users)
  eraseUserCommand(users)
}

function lookCommands(users: Command): void {
  const list = users
    .command('list')
    .description('accounts, by id')
    .option('--after <id>', 'start after this id', wholeNumber, 0)
    .option('--limit <n>', 'at most this many, up to 1000', pageSize, DEFAULT_PAGE)
    .addHelpText('after', '\nExample:\n  rootstream users list --limit 20')
  runs<{ after: number; limit: number }, []>(list, (context, { after, limit }) =>
    withNode(context, async node => {
      const page = await node.accounts.administration.list(after, Math.min(Math.max(1, limit), 1_000))
      context.out.result(page, () => {
        context.out.table(page.users.map(shown), [
          'id',
          'username',
          'email',
          'state',
          'roles',
          'sessions',
          'lastLoginAt',
        ])
        if (page.next !== undefined) context.out.line(`more: --after ${page.next}`)
      })
    }),
  )

  const show = users
    .command('show <id>')
    .description('an account')
    .addHelpText('after', '\nExample:\n  rootstream users show 7')
  runs<object, [string]>(show, (context, _, id) =>
    withNode(context, async node => {
      const user = await node.accounts.administration.show(userId(id))
      context.out.result(user, () => {
        for (const [name, value] of Object.entries(shown(user))) context.out.line(`${name.padEnd(13)} ${value ?? ''}`)
      })
    }),
  )

  const sessions = users
    .command('sessions <id>')
    .description('the open sessions of an account')
    .addHelpText('after', '\nExample:\n  rootstream users sessions 7')
  runs<object, [string]>(sessions, (context, _, id) =>
    withNode(context, async node => {
      const open = await node.accounts.administration.sessions(userId(id))
      context.out.result(open, () =>
        context.out.table(
          open.map(session => ({ ...session, methods: session.methods.join(' ') })),
          ['id', 'createdAt', 'lastSeenAt', 'expiresAt', 'ipAddress', 'place', 'methods', 'userAgent'],
        ),
      )
    }),
  )
}

function createCommand(users: Command): void {
  const create = users
    .command('create <username>')
    .description('open an account; the password is typed, or the first line of standard input')
    .requiredOption('--email <address>', 'its address')
    .option('--role <role...>', `one or more of ${ROLES.join(', ')}; default viewer`, role)
    .option('--name <name>', 'the name it is shown by')
    .addHelpText(
      'after',
      '\nExamples:\n  rootstream users create ada --email ada@example.org --role admin\n  pass show rootstream/ada | rootstream users create ada --email ada@example.org --role admin',
    )
  runs<{ email: string; role?: Role[]; name?: string }, [string]>(
    create,
    async (context, { email, role: roles, name }, username) => {
      const password = await readPassword(`Password for ${username}`)
      await withNode(context, async ({ accounts }) => {
        const registration = { username, email, password, ...(name === undefined ? {} : { displayName: name }) }
        const registered = await accounts.register(registration)
        if (!registered.ok) return showRefusal(context, registered)
        if (roles !== undefined) {
          const changed = await accounts.administration.setRoles(registered.userId, roles)
          if (!changed.ok) return showRefusal(context, changed)
        }
        const user = await accounts.administration.show(registered.userId)
        context.out.result(user, () =>
          context.out.line(`user ${user.id} (${user.username}) is ${user.roles.join(', ')}`),
        )
      })
    },
  )
}

function changeCommands(users: Command): void {
  const roles = users
    .command('roles <id>')
    .argument('[roles...]', ROLES.join(', '), role)
    .description(`say which roles an account has (${ROLES.join(', ')}); ends its sessions`)
    .addHelpText('after', '\nExamples:\n  rootstream users roles 7 operator viewer\n  rootstream users roles 7')
  runs<object, [string, Role[] | undefined]>(roles, (context, _, id, names = []) =>
    changes(context, id, (administration, user) => administration.setRoles(user, names)),
  )

  const deactivate = users
    .command('deactivate <id>')
    .description('put an account out of use; ends its sessions')
    .option('--reason <text>', 'goes into the event')
    .addHelpText('after', '\nExample:\n  rootstream users deactivate 7 --reason "left the company"')
  runs<{ reason?: string }, [string]>(deactivate, (context, { reason }, id) =>
    changes(context, id, (administration, user) => administration.deactivate(user, reason)),
  )

  const reactivate = users
    .command('reactivate <id>')
    .description('put an account into use again')
    .addHelpText('after', '\nExample:\n  rootstream users reactivate 7')
  runs<object, [string]>(reactivate, (context, _, id) =>
    changes(context, id, (administration, user) => administration.reactivate(user)),
  )

  const revoke = users
    .command('revoke <id>')
    .description('end all sessions of an account, on every node')
    .option('--reason <text>', 'goes into the events', 'ended by the operator of the node')
    .addHelpText('after', '\nExample:\n  rootstream users revoke 7 --reason "lost laptop"')
  runs<{ reason: string }, [string]>(revoke, (context, { reason }, id) =>
    changes(context, id, (administration, user) => administration.endSessions(user, reason)),
  )
}

function changes(
  context: CommandContext,
  id: string,
  change: (administration: Administration, userId: number) => Promise<Changed | AccountRefusal>,
): Promise<void> {
  return withNode(context, async ({ accounts: { administration } }) => {
    const user = userId(id)
    const result = await change(administration, user)
    if (!result.ok) return showRefusal(context, result)
    const { ended } = result
    const after = await administration.show(user)
    context.out.result({ ...after, ended }, () =>
      context.out.line(
        `user ${user} (${after.username}) is ${after.state}, ${after.roles.join(', ') || 'without roles'}; sessions ended: ${ended}`,
      ),
    )
  })
}

function showRefusal({ out }: CommandContext, refusal: AccountRefusal): void {
  process.exitCode = 5
  out.result(refusal, () => out.line(`Refused (${refusal.reason}): ${refusal.detail} Nothing was changed.`))
}

function shown({ openSessions, roles, ...user }: AccountView): Readonly<Record<string, unknown>> {
  return { ...user, roles: roles.join(' '), sessions: openSessions }
}

function userId(text: string): number {
  const id = Number(text)
  if (/^[1-9]\d{0,9}$/.test(text) && id <= MAX_INT4) return id
  throw new AppError('invalid_input', 'The id of a user is a whole number. Nothing was changed.')
}

function role(name: string, before: Role[] = []): Role[] {
  const found = ROLES.find(candidate => candidate === name)
  if (found === undefined) throw new InvalidArgumentError(`Roles are ${ROLES.join(', ')}.`)
  return [...before, found]
}
