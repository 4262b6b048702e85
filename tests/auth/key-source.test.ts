/** Where key rings come from, and what is no key ring. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readKeys, watchKeyFile, writeKeyFile } from '../../src/auth/key-source.ts'
import { formatKey, formatKeys, newKey, parseKeys } from '../../src/auth/key-text.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'rootstream-keys-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const keys = [newKey(0), newKey(0)]
const text = formatKeys(keys)
const inFile = (content: string, mode = 0o600) => {
  const file = path.join(folder, 'keys')
  writeFileSync(file, content)
  chmodSync(file, mode)
  return file
}
const unusable = (why: RegExp) => ({ code: 'setup_failed', message: expect.stringMatching(why) })

describe('a text', () => {
  test('comes back as it was written, between lines or commas, with remarks', () => {
    expect(parseKeys(text, 'here')).toEqual(keys)
    expect(parseKeys(keys.map(formatKey).join(','), 'here')).toEqual(keys)
    expect(parseKeys(`\r\n  # a, b\n ${keys.map(formatKey).join(' , # newest\n')}\n`, 'here')).toEqual(keys)
  })

  const one = formatKey(newKey(0))
  test.each([
    ['nothing', '', /no key/],
    ['a remark alone', '# key', /no key/],
    ['no id', one.slice(one.indexOf(':')), /entry 1 is not/],
    ['a key that is too short', one.slice(0, -1), /entry 1 is not/],
    ['a key that is too long', `${one}A`, /entry 1 is not/],
    ['another spelling of the last character', `${one.slice(0, -1)}B`, /entry 1 is not/],
    ['an id with a dot', `a.b:${one.split(':')[1]}`, /entry 1 is not/],
    ['one id twice', `${one},${one.split(':')[0]}:${'A'.repeat(43)}`, /two keys have one id/],
    ['one key twice', `${one},other:${one.split(':')[1]}`, /two ids/],
    ['too many', Array.from({ length: 51 }, () => formatKey(newKey(0))).join(), /more than 50/],
  ])('of %s is refused, and not repeated', (_, wrong, why) => {
    expect(() => parseKeys(wrong, 'here')).toThrow(expect.objectContaining(unusable(why)))
    expect(() => parseKeys(wrong, 'here')).not.toThrow(one.split(':')[1])
  })
})

describe('a file', () => {
  test('of its owner alone is read', async () => {
    for (const mode of [0o600, 0o400]) expect(await readKeys({ kind: 'file', file: inFile(text, mode) })).toEqual(keys)
  })

  test.each([0o640, 0o604, 0o620, 0o602, 0o660, 0o700, 0o644])('of mode %o is refused', async mode => {
    await expect(readKeys({ kind: 'file', file: inFile(text, mode) })).rejects.toMatchObject(
      unusable(/others may read it/),
    )
  })

  test('behind a link is judged by itself', async () => {
    const link = path.join(folder, 'link')
    symlinkSync(inFile(text, 0o644), link)
    await expect(readKeys({ kind: 'file', file: link })).rejects.toMatchObject(unusable(/mode 644/))
  })

  test('that is missing, a folder, a pipe or too large is refused', async () => {
    const pipe = path.join(folder, 'pipe')
    execFileSync('mkfifo', ['-m', '600', pipe])
    const wrong = [
      [path.join(folder, 'missing'), /ENOENT/],
      [folder, /no file/],
      [pipe, /no file/],
      [inFile(`${text}#${'x'.repeat(70_000)}`), /larger/],
    ] as const
    for (const [file, why] of wrong) await expect(readKeys({ kind: 'file', file })).rejects.toMatchObject(unusable(why))
  })

  test('is written readable by its owner alone, whole, and keeps what is there where it may not be replaced', () => {
    const file = path.join(folder, 'ring')
    writeKeyFile(file, keys, false)
    writeKeyFile(file, [newKey(0)], false)
    expect(readFileSync(file, 'utf8')).toBe(text)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    writeKeyFile(file, keys.slice(1), true)
    expect(parseKeys(readFileSync(file, 'utf8'), file)).toEqual(keys.slice(1))
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder)).toEqual(['ring'])
  })

  test('that changes is read again; one that broke leaves the keys as they were, and is told of once', () => {
    const file = inFile(text)
    const failures: unknown[] = []
    const latest = watchKeyFile(file, keys, error => failures.push(error))
    expect(latest()).toBe(keys)
    writeKeyFile(file, keys.slice(0, 1), true)
    expect(latest()).toEqual(keys.slice(0, 1))
    inFile('broken')
    expect([latest(), latest()]).toEqual([keys.slice(0, 1), keys.slice(0, 1)])
    rmSync(file)
    expect(latest()).toEqual(keys.slice(0, 1))
    expect(failures).toHaveLength(2)
    inFile(text)
    expect(latest()).toEqual(keys)
  })
})

describe('a program', () => {
  const run = (...argv: string[]) => readKeys({ kind: 'command', argv })
  const print = (code: string) => run(process.execPath, '-e', code)

  test('prints the keys; no shell reads its arguments', async () => {
    expect(
      await run(
        process.execPath,
        '-p',
        'process.argv[1]',
        `${text}$(touch ${folder}/shell)`.replaceAll('\n$', '\n# $'),
      ),
    ).toEqual(keys)
    expect(readdirSync(folder)).toEqual([])
  })

  test('that fails, is missing or prints something else is an error without what it printed', async () => {
    const wrong = [
      [print('console.log("s3cret"); console.error("s3cret"); process.exit(3)'), '(3)'],
      [print('console.log("s3cret")'), 'entry 1'],
      [print('process.stdout.write("s3cret".repeat(20_000))'), 'longer than'],
      [run('/no/such/program'), 'ENOENT'],
    ] as const
    const outcomes = await Promise.allSettled(wrong.map(([outcome]) => outcome))
    for (const [index, outcome] of outcomes.entries()) {
      const { message } = (outcome.status === 'rejected' ? outcome.reason : {}) as { message?: string }
      expect(outcome).toMatchObject({ reason: unusable(/ROOTSTREAM_KEY_COMMAND/) })
      expect(message).toContain(wrong[index]?.[1])
      expect(message).not.toContain('s3cret')
    }
  })

  test('that does not end is ended, with what it started still holding its output', async () => {
    await expect(
      readKeys({ kind: 'command', argv: ['/bin/sh', '-c', 'sleep 3 & exec sleep 300'] }, 200),
    ).rejects.toMatchObject(unusable(/did not end/))
  })
})
