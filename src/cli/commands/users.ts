/** `rootstream users` */
import type { Command } from 'commander'
import { resetMfaCommand } from './reset-mfa.ts'

export function usersCommand(program: Command): void {
  const users = program.command('users').description('accounts of users')
  resetMfaCommand(users)
}
