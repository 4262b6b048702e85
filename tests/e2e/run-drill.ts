/** `npm run drill [-- streams]`: runs the drill, prints what it does and what it found; exit code 1 where anything is amiss. */
import { runDrill } from './drill.ts'

const streams = Number(process.argv[2] ?? 1_000)
if (!Number.isSafeInteger(streams) || streams < 1) throw new Error('the number of streams is a positive whole number')
const started = performance.now()
const report = await runDrill({
  streams,
  legacyUsers: 200,
  say: line => console.log(`${((performance.now() - started) / 1_000).toFixed(1).padStart(6)} s  ${line}`),
})
console.log(`
events in the log          ${report.eventsInLog} (${report.imported} imported)
commands acknowledged      ${report.acknowledged} of ${report.expected}, ${report.retries} requests sent again
lost or doubled            ${report.lostOrDoubled.length}
actors with version gaps   ${report.gaps.length}
tables unlike a rebuild    ${report.differentTables.length}
drift on replay            ${report.drift}
missing in the audit       ${report.missingInAudit.length}
24.2 rows changed          ${report.changedRows.length}`)
const faults = [
  report.lostOrDoubled,
  report.gaps,
  report.differentTables,
  report.missingInAudit,
  report.changedRows,
].flat()
process.exitCode = faults.length === 0 && report.drift === 0 && report.acknowledged === report.expected ? 0 : 1
