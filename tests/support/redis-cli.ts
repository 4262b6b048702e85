/** Redis as a program of RootStream 24.2 sees it: through redis-cli. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** One command; answers its reply as text, empty for nil. */
export async function redisCli(port: number, ...args: readonly (string | number)[]): Promise<string> {
  const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(port), '--raw', ...args.map(String)])
  return stdout.trimEnd()
}

export interface LegacySubscriber {
  /** What was published so far, as `stream:1:events started`. */
  readonly heard: readonly string[]
  stop(): Promise<void>
}

/** Subscribes to the events of all streams; resolves when Redis has acknowledged it. */
export async function subscribeLegacy(port: number): Promise<LegacySubscriber> {
  const child = spawn('redis-cli', ['-p', String(port), '--raw', 'psubscribe', 'stream:*:events'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const heard: string[] = []
  const { promise: subscribed, resolve } = Promise.withResolvers<void>()
  let message: string[] = []
  createInterface({ input: child.stdout }).on('line', line => {
    message.push(line)
    if (message[0] === 'psubscribe' && message.length === 3) {
      message = []
      resolve()
    } else if (message[0] === 'pmessage' && message.length === 4) {
      heard.push(`${message[2]} ${message[3]}`)
      message = []
    }
  })
  await Promise.race([
    subscribed,
    once(child, 'exit').then(() => {
      throw new Error('redis-cli ended')
    }),
  ])
  return {
    heard,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill()
      await exited
    },
  }
}
