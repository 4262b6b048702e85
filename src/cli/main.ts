/** The command line: one file for each command, one exit code table for all. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { ERRORS } from '../core/errors.ts'
import { actorsCommand } from './commands/actors.ts'
import { auditCommand } from './commands/audit.ts'
import { conflictsCommand } from './commands/conflicts.ts'
import { doctorCommand } from './commands/doctor.ts'
import { importCommand } from './commands/import.ts'
import { keysCommand } from './commands/keys.ts'
import { migrateCommand } from './commands/migrate.ts'
import { rebuildCommand } from './commands/rebuild.ts'
import { replayCommand } from './commands/replay.ts'
import { startCommand } from './commands/start.ts'
import { usersCommand } from './commands/users.ts'
import { fail } from './failure.ts'
import { write } from './output.ts'

const { version } = JSON.parse(readFileSync(path.resolve(import.meta.dirname, '../../package.json'), 'utf8')) as {
  version: string
}

const program = new Command('rootstream')
  .description('RootStream Runtime: the event-sourced data layer of RootStream nodes')
  .version(version)
  .configureOutput({ writeOut: text => write(1, text), writeErr: text => write(2, text) })
  // Options belong to the command they follow: `actors show … --version 3` is not the version of the program.
  .enablePositionalOptions()
  .showHelpAfterError('(--help shows how)')
  .addHelpText(
    'after',
    `\nConfiguration comes from the environment: DATABASE_URL, REDIS_URL, ROOTSTREAM_HOME and others (see README.md).\nExit codes: 0 done; ${exitCodes()}.`,
  )

for (const add of [
  startCommand,
  migrateCommand,
  importCommand,
  actorsCommand,
  usersCommand,
  conflictsCommand,
  replayCommand,
  auditCommand,
  rebuildCommand,
  keysCommand,
  doctorCommand,
])
  add(program)

try {
  // Commander's own complaints end with exit code 1: they are wrong input, and the table says 2.
  program.exitOverride()
  for (const command of [...program.commands, ...program.commands.flatMap(parent => parent.commands)])
    command.exitOverride()
  await program.parseAsync()
} catch (error) {
  const shown =
    error instanceof Error && 'exitCode' in error && 'code' in error && String(error.code).startsWith('commander.')
  if (shown) process.exitCode = error.exitCode === 0 ? 0 : ERRORS.invalid_input.exitCode
  else fail(error, process.argv.includes('--json'))
}

function exitCodes(): string {
  const byCode = Map.groupBy(Object.entries(ERRORS), ([, { exitCode }]) => exitCode)
  return [...byCode].map(([exitCode, errors]) => `${exitCode} ${errors.map(([code]) => code).join(', ')}`).join('; ')
}
