/** `rootstream users` */
import type { Command } from 'commander'
import { eraseUserCommand } from './users-erase.ts'

export function usersCommand(program: Command): void {
  const users = program.command('users').description('accounts')
  eraseUserCommand(users)
}
