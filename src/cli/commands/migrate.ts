/** `rootstream migrate` */
import type { Command } from 'commander'
import { migrate } from '../../eventstore/migrate.ts'
import { runs } from '../command.ts'
import { withDatabase } from '../database.ts'

export function migrateCommand(program: Command): void {
  runs(
    program.command('migrate').description('bring the database to the schema this version needs'),
    async ({ config, log, out }) => {
      const { applied } = await withDatabase(config, log, url => migrate({ url, log }))
      out.result({ applied }, () =>
        out.line(
          applied.length === 0 ? 'Nothing to do: the database is up to date.' : `Applied ${applied.join(', ')}.`,
        ),
      )
    },
  )
}
