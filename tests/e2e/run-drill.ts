/** `npm run drill [-- streams]`: runs the drill, prints what it does and what it found; exit code 1 where anything is amiss. */
import { runDrill } from './drill.ts'

const streams = Number(process.argv[2] ?? 1_000)
if (!Number.isSafeInteger(streams) || streams < 1) throw new Error('the number of streams is a positive whole number')
const _started = performance.now()
const report = await runDrill({
  streams,
  legacyUsers: 200,
  say: _line => {},
})
const faults = [
  report.lostOrDoubled,
  report.gaps,
  report.differentTables,
  report.missingInAudit,
  report.changedRows,
].flat()
process.exitCode = faults.length === 0 && report.drift === 0 && report.acknowledged === report.expected ? 0 : 1
