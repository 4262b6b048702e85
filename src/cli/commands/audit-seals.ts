/** `rootstream audit seal`, `audit verify`, `audit export-seals` */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import { summary } from '../../audit/digest.ts'
import { readExportedSeals } from '../../audit/exported-seals.ts'
import { sealLog } from '../../audit/seal-log.ts'
import { type AuditReport, verifyLog } from '../../audit/verify.ts'
import { AppError, ERRORS } from '../../core/errors.ts'
import type { SealedLog } from '../../core/ports.ts'
import type { SealSummary } from '../../core/seal.ts'
import { createPgSealedLog } from '../../eventstore/sealed-log.ts'
import { systemClock } from '../../system-clock.ts'
import { type CommandContext, runs, withStoredLog } from '../command.ts'
import { isoTime, wholeNumber } from '../option-values.ts'
import type { Output } from '../output.ts'

const PAGE = 100

export function sealCommands(audit: Command): void {
  const seal = audit
    .command('seal')
    .description('seal the log up to its end now (a running node does it every few seconds)')
  runs<object, []>(seal, context =>
    withSealedLog(context, async log => {
      const sealed = await sealLog({ log, clock: systemClock })
      const tip = await log.lastSeal()
      const report = { ...sealed, last: tip?.number ?? 0, position: tip?.last ?? 0, hash: tip?.hash ?? null }
      context.out.result(report, () => {
        context.out.line(`${sealed.events} events sealed, in ${sealed.seals} seals`)
        if (tip !== undefined) context.out.line(`last seal ${tip.number}, up to position ${tip.last}: ${tip.hash}`)
      })
    }),
  )

  const verify = audit
    .command('verify')
    .description('prove that nothing that was sealed has been changed or removed')
    .option('--seals <file>', 'hold log and seals against these, exported before and kept elsewhere')
    .addHelpText(
      'after',
      `\nWithout --seals, whoever can write the database could have rewritten log and seals together.\nExit code ${ERRORS.audit_broken.exitCode} where something differs; the first seal that differs is named.`,
    )
  runs<{ seals?: string }, []>(verify, async (context, { seals: file }) => {
    const exported = file === undefined ? undefined : await readSeals(file)
    await withSealedLog(context, async log => {
      const { out } = context
      const report = await verifyLog({
        log,
        ...(exported === undefined ? {} : { exported }),
        onProgress: ({ position, head }) => out.progress('verifying', position, head),
      })
      if (!report.ok) process.exitCode = ERRORS.audit_broken.exitCode
      out.result(report, () => show(out, report))
    })
  })

  const exportSeals = audit
    .command('export-seals')
    .description('print the seals as JSON lines, to keep where the database cannot be written from')
    .option('--after <number>', 'only seals with larger numbers: the last one that is kept already', wholeNumber, 0)
    .option('--since <time>', 'only what was sealed from this time on (ISO 8601)', isoTime)
    .addHelpText('after', '\nExample:\n  rootstream audit export-seals --after 1200 >> /mnt/worm/seals.jsonl')
  runs<{ after: number; since?: string }, []>(exportSeals, (context, { after, since }) =>
    withSealedLog(context, async log => {
      for await (const seal of allSeals(log, after)) {
        if (context.out.unread) return
        if (since === undefined || Date.parse(seal.sealedAt) >= Date.parse(since))
          context.out.line(JSON.stringify(seal))
      }
    }),
  )
}

function show(out: Output, report: AuditReport): void {
  const { ok, seals, exported, events, sealed, unsealed, findings } = report
  for (const { kind, message } of findings) out.line(`${kind}: ${message}`)
  out.line(
    ok
      ? `Nothing was changed or removed: ${events} events up to position ${sealed} are what ${seals} seals say${exported === 0 ? '' : `, and ${exported} exported ones`}.`
      : 'The log or its seals are not what was sealed. Nothing was changed by this look. Keep the database as it is; compare with a backup.',
  )
  if (unsealed > 0) out.line(`${unsealed} events after position ${sealed} are not sealed yet.`)
}

async function* allSeals(log: SealedLog, after: number): AsyncIterable<SealSummary> {
  for (let last = after; ; ) {
    const page = await log.seals(last, PAGE)
    yield* page.map(summary)
    const end = page.at(-1)
    if (end === undefined || page.length < PAGE) return
    last = end.number
  }
}

async function readSeals(file: string): Promise<ReadonlyMap<number, SealSummary>> {
  try {
    return await readExportedSeals(createInterface({ input: createReadStream(file) }))
  } catch (error) {
    if (error instanceof AppError || !(error instanceof Error) || !('code' in error)) throw error
    throw new AppError('invalid_input', `The file of --seals cannot be read (${error.message}). Nothing was verified.`)
  }
}

function withSealedLog(context: CommandContext, work: (log: SealedLog) => Promise<void>): Promise<void> {
  return withStoredLog(context, store => work(createPgSealedLog(store.pool)))
}
