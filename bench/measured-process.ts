/** A process of its own whose memory is measured: memory that was used once is seldom given back. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

/** Runs a module of this folder on a database, and answers the one message it sends. */
export async function reportOf<Report>(module: string, url: string): Promise<Report> {
  const child = fork(path.join(import.meta.dirname, module), [url], {
    execArgv: [...process.execArgv, '--expose-gc'],
  })
  const [report] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the measured node ended with ${code}`)
    }),
  ])) as [Report]
  if (child.exitCode === null) await once(child, 'exit')
  return report
}

/** Of this process, in bytes, without what could be collected. */
export function memoryInUse(): NodeJS.MemoryUsage {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage()
}
