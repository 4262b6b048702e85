/** Asks for a password: hidden and twice on a terminal, the first line of standard input elsewhere. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { AppError } from '../core/errors.ts'

/** More than the longest password takes. */
const MAX_BYTES = 8_192

export async function readPassword(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) return firstLine()
  const password = await askHidden(`${prompt}: `)
  if ((await askHidden('Once more: ')) === password) return password
  throw new AppError('invalid_input', 'The two passwords differ. Nothing was written. Try again.')
}

async function firstLine(): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MAX_BYTES) throw new AppError('invalid_input', 'Standard input is too long for a password.')
  }
  const [line = ''] = Buffer.concat(chunks).toString().split(/\r?\n/)
  if (line === '') throw new AppError('invalid_input', 'There is no password on standard input. Nothing was written.')
  return line
}

async function askHidden(prompt: string): Promise<string> {
  // What readline would echo goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  // Ctrl-C and Ctrl-D: the question would wait for ever.
  const givenUp = new AbortController()
  terminal.once('SIGINT', () => givenUp.abort()).once('close', () => givenUp.abort())
  try {
    process.stderr.write(prompt)
    return await terminal.question('', { signal: givenUp.signal })
  } catch (cause) {
    throw new AppError('invalid_input', 'No password was given. Nothing was written.', { cause })
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}
