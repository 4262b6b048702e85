/** `rootstream rebuild` */
import type { Command } from 'commander'
import { ERRORS } from '../../core/errors.ts'
import { migrate } from '../../eventstore/migrate.ts'
import { entities } from '../../machines/index.ts'
import { rebuild } from '../../projections/rebuild.ts'
import { runs, withLog } from '../command.ts'
import { withDatabase } from '../database.ts'

export function rebuildCommand(program: Command): void {
  const command = program
    .command('rebuild')
    .description('make the read tables anew from the log, beside the live ones, and merge the differences')
    .option('--verify', 'compare only, and change nothing')
    .option('--fresh', 'start over, where an interrupted rebuild would go on')
    .addHelpText(
      'after',
      `\nNodes may go on working. Readers see the old rows until the new ones are complete.\nExit code ${ERRORS.projection_mismatch.exitCode} where --verify finds a difference.`,
    )
  runs<{ verify?: boolean; fresh?: boolean }, []>(command, async (context, { verify, fresh }) => {
    const { config, log, out } = context
    await withDatabase(config, log, async url => {
      await migrate({ url, log })
      await withLog({ ...context, config: { ...config, database: url } }, async store => {
        const report = await rebuild({
          store,
          pool: store.pool,
          entities,
          log,
          verifyOnly: verify === true,
          ...(fresh === true ? { fresh } : {}),
          onProgress: ({ position, head }) => out.progress('rebuilding', position, head),
        })
        const wrong = report.tables.some(({ missing, extra, different }) => missing + extra + different > 0)
        if (verify === true && wrong) process.exitCode = ERRORS.projection_mismatch.exitCode
        out.result(report, () => {
          out.table(
            report.tables.map(table => ({ ...table })),
            ['table', 'rows', 'missing', 'extra', 'different', 'unknown', 'examples'],
          )
          if (report.failures > 0)
            out.line(`${report.failures} actors could not be projected and are parked: rootstream doctor names them`)
          if (verify !== true) out.line(wrong ? 'The differences were mended.' : 'There was nothing to mend.')
          else
            out.line(
              wrong
                ? 'The read tables differ from the log. Nothing was changed; mend them by: rootstream rebuild'
                : `The read tables are what the log says, up to position ${report.position}.`,
            )
        })
      })
    })
  })
}
