/** `rootstream users …` */
import type { Command } from 'commander'
import { resetMfaCommand } from './reset-mfa.ts'
import { usersCreateCommand } from './users-create.ts'

export function usersCommand(program: Command): void {
  const users = program.command('users').description('accounts of people')
  usersCreateCommand(users)
  resetMfaCommand(users)
}
