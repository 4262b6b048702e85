/** One side of a comparison in a process of its own, so that neither the heap nor the compiled code of one is in the way of another. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { Side } from '../measure.ts'

/** What a side module exports as `open`. */
export type OpenSide<Options> = (options: Options) => Promise<OpenedSide>

export interface OpenedSide {
  /** Works for so many milliseconds with so much in flight; answers how many operations that were. */
  run(work: { readonly inFlight: number; readonly ms: number }): Promise<number>
  close(): Promise<void>
}

export interface SideProcess {
  side(name: string, work: { readonly inFlight: number; readonly ms: number }): Side
  close(): Promise<void>
}

/** @param module file beside this one */
export async function startSide(module: string, options: object): Promise<SideProcess> {
  const child = fork(path.join(import.meta.dirname, 'side-child.ts'), [module], { execArgv: process.execArgv })
  const ask = async (question: object): Promise<unknown> => {
    child.send(question)
    const [answer] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`${module} ended with ${code}`)
      }),
    ])
    return answer
  }
  await ask({ open: options })
  return {
    side: (name, work) => ({
      name,
      run: async () => (await ask({ run: work })) as Awaited<ReturnType<Side['run']>>,
    }),
    close: async () => {
      const ended = once(child, 'exit')
      child.send({ close: true })
      await ended
    },
  }
}
