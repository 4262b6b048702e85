/** The process of a fan-out side: answers what it is asked over the channel to its parent. */
import type { FanOutOptions, OpenFanOut } from '../fan-out-process.ts'

const [module = '', options = ''] = process.argv.slice(2)
type Questions = Record<string, (argument: unknown) => unknown>
const { open } = (await import(`./${module}`)) as { open: OpenFanOut<Questions> }
const { questions, close } = await open(JSON.parse(options) as FanOutOptions)

process.on('message', async ({ name, argument }: { name: string; argument: unknown }) => {
  if (name !== 'close') return void process.send?.((await questions[name]?.(argument)) ?? null)
  await close()
  process.disconnect()
})
// Whatever became of the parent, nobody asks any more.
process.on('disconnect', () => process.exit())
process.send?.('open')
