/** `rootstream import` */
import type { Command } from 'commander'
import { migrate } from '../../eventstore/migrate.ts'
import { createPool } from '../../eventstore/pool.ts'
import { type ImportReport, importLegacy } from '../../legacy/import-legacy.ts'
import { entities } from '../../machines/index.ts'
import { systemClock } from '../../system-clock.ts'
import { type CommandContext, runs, withNode } from '../command.ts'
import { withDatabase } from '../database.ts'
import type { Output } from '../output.ts'

export function importCommand(program: Command): void {
  const command = program
    .command('import')
    .description('give the rows of a RootStream 24.2 database a history, one genesis event each')
    .option('--dry-run', 'read and report, and write nothing')
    .addHelpText(
      'after',
      '\nExamples:\n  DATABASE_URL=postgres://… rootstream import --dry-run\n  DATABASE_URL=postgres://… rootstream import\n\nMay be interrupted and run again: rows that have a history are passed over.',
    )
  runs<{ dryRun?: boolean }, []>(command, async (context, { dryRun }) => {
    const report = dryRun ? await dry(context) : await wet(context)
    context.out.result(report, () => show(context.out, report))
  })
}

/** Also for a database that was never migrated, which it leaves as it is. */
function dry({ config, log, out }: CommandContext): Promise<ImportReport> {
  return withDatabase(config, log, async url => {
    const pool = createPool({ url, log, size: 2 })
    try {
      return await importLegacy({ pool, entities, clock: systemClock, store: undefined, onProgress: bar(out) })
    } finally {
      await pool.end()
    }
  })
}

async function wet(context: CommandContext): Promise<ImportReport> {
  const { config, log, out } = context
  let report: ImportReport | undefined
  await withDatabase(config, log, async url => {
    await migrate({ url, log })
    const pool = createPool({ url, log, size: 4 })
    try {
      await withNode({ ...context, config: { ...config, database: url } }, async node => {
        report = await importLegacy({ pool, entities, clock: systemClock, store: node.log, onProgress: bar(out) })
        await node.projections.caughtUp()
      })
    } finally {
      await pool.end()
    }
  })
  if (report === undefined) throw new Error('the import answered nothing')
  return report
}

function bar(out: Output) {
  return ({ table, done, rows }: { table: string; done: number; rows: number }) => out.progress(table, done, rows)
}

function show(out: Output, { dryRun, tables, eventLog }: ImportReport): void {
  out.table(
    tables.map(({ table, rows, imported, already, problems }) => ({
      table,
      rows,
      [dryRun ? 'would import' : 'imported']: imported,
      already,
      problems: problems.length,
    })),
    ['table', 'rows', dryRun ? 'would import' : 'imported', 'already', 'problems'],
  )
  for (const { table, problems, addedColumns } of tables) {
    for (const { id, problem, imported } of problems)
      out.line(`${table} ${id}: ${problem}${imported ? '' : ' (not imported)'}`)
    if (addedColumns.length > 0)
      out.line(
        `${table}: the columns ${addedColumns.join(', ')} are not of 24.2; they stay in the table and a rebuild does not know them`,
      )
  }
  if (eventLog === undefined) return
  out.line(`event_log: ${eventLog.rows} rows stay readable; ${eventLog.orderable} have a place in an order`)
  for (const { reason, rows, ids } of eventLog.quarantined)
    out.line(
      `  ${rows} rows ${dryRun ? 'would be' : 'are'} in quarantine, ${reason}: ${ids.slice(0, 10).join(', ')}${rows > 10 ? ', …' : ''}`,
    )
  if (dryRun) out.line('Nothing was written.')
}
