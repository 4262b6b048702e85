/** Backup codes: how they are made, and how people type them. */
import { expect, test } from 'vitest'
import { BACKUP_CODES, newBackupCodes, normalBackupCode } from '../../src/auth/backup-codes.ts'

test('ten codes of 120 bits, in groups of four', () => {
  const codes = newBackupCodes()
  expect(codes).toHaveLength(BACKUP_CODES)
  for (const code of codes) expect(code).toMatch(/^(?:[0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)
  const many = Array.from({ length: 200 }, newBackupCodes).flat()
  expect(new Set(many).size).toBe(many.length)
  expect(new Set(many.join('').replaceAll('-', '')).size).toBe(32)
})

test('a code is the same in small letters, without dashes, with spaces, and with letters that look like its digits', () => {
  const code = '0123-4567-89AB-CDEF-GHJK-MNPQ'
  for (const typed of [
    code,
    code.toLowerCase(),
    code.replaceAll('-', ''),
    code.replaceAll('-', ' '),
    'OI23-4567-89AB-CDEF-GHJK-MNPQ',
    'ol23-4567-89ab-cdef-ghjk-mnpq',
  ])
    expect(normalBackupCode(typed)).toBe('0123456789ABCDEFGHJKMNPQ')
})

test('a text that is none is none', () => {
  const texts = ['', '0123', `${'0123-'.repeat(5)}0123-4`, `${'0123-'.repeat(5)}012U`, '0'.repeat(1_000_000)]
  const lookalikes = ['０'.repeat(24), `${'0'.repeat(23)}\u017f`, `${'0'.repeat(24)}\n`]
  for (const typed of [...texts, ...lookalikes]) expect(normalBackupCode(typed)).toBeUndefined()
})
