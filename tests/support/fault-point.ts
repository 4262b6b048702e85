/** What `#fault-point` is in a process that runs with `--conditions=fault-points`: a crash at the hit that ROOTSTREAM_FAULT names. */
import { writeSync } from 'node:fs'
import type { FaultPoint } from '../../src/core/fault-point.ts'

/** `name@count`: the count-th time that the point is passed. */
const [wanted, count] = (process.env.ROOTSTREAM_FAULT ?? '').split('@')
let left = Number(count)

export function faultPoint(name: FaultPoint): void {
  if (name !== wanted || --left > 0) return
  // At once, and before anything that was written in this turn of the event loop and is still in memory leaves it.
  writeSync(process.stderr.fd, `killed at ${name}\n`)
  process.kill(process.pid, 'SIGKILL')
}
