/** The process of a side: does what it is told over the channel to its parent, and measures itself. */
import type { OpenedSide, OpenSide } from './side-process.ts'

const [module = ''] = process.argv.slice(2)
const { open } = (await import(`./${module}`)) as { open: OpenSide<unknown> }
let opened: OpenedSide | undefined

process.on('message', async (message: { open?: unknown; run?: { inFlight: number; ms: number } }) => {
  if (message.open !== undefined) {
    opened = await open(message.open)
    process.send?.('open')
  } else if (message.run !== undefined) {
    globalThis.gc?.()
    const started = performance.now()
    const cpu = process.cpuUsage()
    const operations = (await opened?.run(message.run)) ?? 0
    const { user, system } = process.cpuUsage(cpu)
    process.send?.({ operations, seconds: (performance.now() - started) / 1_000, cpuMicros: user + system })
  } else {
    await opened?.close()
    process.disconnect()
  }
})

// Whatever became of the parent, nobody asks any more.
process.on('disconnect', () => process.exit())
