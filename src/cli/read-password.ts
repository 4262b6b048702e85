/** A password as it is given to a command: typed without being shown, or the first line of standard input; never an argument, which others see. */
import { createInterface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import { AppError } from '../core/errors.ts'

const MAX_BYTES = 1_024

/** Asks twice where somebody types it. Throws AppError `invalid_input`. */
export async function readPassword(): Promise<string> {
  if (process.stdin.isTTY !== true) return checked(await firstLine())
  const password = checked(await typed(process.stdin, 'Password: '))
  if ((await typed(process.stdin, 'Again: ')) !== password)
    throw new AppError('invalid_input', 'The two are not the same. Nothing was changed.')
  return password
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin })
  for await (const line of lines) {
    lines.close()
    return line
  }
  return ''
}

function typed(input: ReadStream, prompt: string): Promise<string> {
  process.stderr.write(prompt)
  return new Promise((resolve, reject) => {
    let text = ''
    const done = (settle: () => void) => {
      input.off('data', onData)
      input.setRawMode(false)
      input.pause()
      process.stderr.write('\n')
      settle()
    }
    const onData = (data: Buffer) => {
      for (const character of data.toString('utf8')) {
        if (character === '\r' || character === '\n' || character === '\u0004') return done(() => resolve(text))
        if (character === '\u0003')
          return done(() => reject(new AppError('invalid_input', 'It was broken off. Nothing was changed.')))
        if (character === '\u007f' || character === '\b') text = [...text].slice(0, -1).join('')
        else text += character
      }
    }
    input.setRawMode(true)
    input.on('data', onData)
    input.resume()
  })
}

function checked(password: string): string {
  if (password === '')
    throw new AppError(
      'invalid_input',
      'There is no password. Type it, or give it as the first line of standard input. Nothing was changed.',
    )
  if (Buffer.byteLength(password) > MAX_BYTES)
    throw new AppError('invalid_input', `A password has at most ${MAX_BYTES} bytes. Nothing was changed.`)
  return password
}
