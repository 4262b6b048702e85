/**
 * Makes src/accounts/data/common-passwords.bin of a list with one JSON array of passwords: the first eight bytes of the
 * SHA-256 of each, sorted, so that the repository spells none of them out.
 *
 *   npm pack @zxcvbn-ts/language-common && tar xzf zxcvbn-ts-language-common-*.tgz
 *   node scripts/common-passwords.ts package/src/passwords.json
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { commonKey, MIN_COMMON_LENGTH } from '../src/accounts/common-passwords.ts'

const [source = ''] = process.argv.slice(2)
const passwords = z.array(z.string()).parse(JSON.parse(readFileSync(source, 'utf8')))
const long = passwords.filter(password => [...password].length >= MIN_COMMON_LENGTH)
const keys = [...new Set(long.map(commonKey))].sort((a, b) => (a < b ? -1 : 1))
const bytes = Buffer.alloc(keys.length * 8)
for (const [index, key] of keys.entries()) bytes.writeBigUInt64BE(key, index * 8)
writeFileSync(path.resolve(import.meta.dirname, '../src/accounts/data/common-passwords.bin'), bytes)
process.stdout.write(`${keys.length} of ${passwords.length} passwords have ${MIN_COMMON_LENGTH} characters or more\n`)
