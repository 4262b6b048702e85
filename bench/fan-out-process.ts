/** A node, or a plain Redis client, in a process of its own that answers one question at a time. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'

export interface FanOutProcess<Questions> {
  ask<Name extends keyof Questions & string>(
    name: Name,
    argument: Argument<Questions[Name]>,
  ): Promise<Answer<Questions[Name]>>
  signal(name: NodeJS.Signals): void
  close(): Promise<void>
}

type Argument<Question> = Question extends (argument: infer Given) => unknown ? Given : never
type Answer<Question> = Question extends (argument: never) => infer Given ? Awaited<Given> : never

/** What a side module exports as `open`. */
export type OpenFanOut<Questions> = (
  options: FanOutOptions,
) => Promise<{ questions: Questions; close(): Promise<void> }>

export interface FanOutOptions {
  readonly database: string
  readonly redis: string
  readonly name: string
}

/** Milliseconds of a clock that all processes of a machine share. */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1_000 + nanoseconds / 1e6
}

/** @param module file in `sides/` */
export async function startFanOut<Questions>(
  module: string,
  options: FanOutOptions,
): Promise<FanOutProcess<Questions>> {
  const child = fork(path.join(import.meta.dirname, 'sides/fan-out-child.ts'), [module, JSON.stringify(options)], {
    execArgv: process.execArgv,
    serialization: 'advanced',
  })
  const gone = once(child, 'exit').then(([code]): never => {
    throw new Error(`${module} ended with ${code}`)
  })
  // Whoever waits for an answer hears of it; at the end nobody does.
  gone.catch(() => {})
  const answered = async (): Promise<unknown> => (await Promise.race([once(child, 'message'), gone]))[0]
  await answered()
  return {
    ask: async (name, argument) => {
      child.send({ name, argument })
      return (await answered()) as never
    },
    signal: name => void child.kill(name),
    close: async () => {
      const ended = once(child, 'exit')
      child.send({ name: 'close' })
      await ended
    },
  }
}
