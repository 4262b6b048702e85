/** What a name looks like: two names that look the same have the same skeleton (UTS 39, section 4). */
import { readFileSync } from 'node:fs'
import path from 'node:path'

let prototypes: ReadonlyMap<string, string> | undefined

/**
 * One or two, good for comparing, never for showing: as the name is written, and in lower case. A capital I looks like an l,
 * and a small one like an i.
 */
export function skeletonsOf(name: string): readonly string[] {
  const plain = name.normalize('NFKC')
  return [...new Set([skeletonOf(plain.toLowerCase()), skeletonOf(plain)])]
}

function skeletonOf(name: string): string {
  prototypes ??= readPrototypes()
  const known = prototypes
  return [...name.normalize('NFD')]
    .map(character => known.get(character) ?? character)
    .join('')
    .normalize('NFD')
    .toLowerCase()
}

function readPrototypes(): ReadonlyMap<string, string> {
  const text = readFileSync(path.join(import.meta.dirname, 'data/lookalikes.txt'), 'utf8')
  const lines = text.trimEnd().split('\n')
  return new Map(
    lines.flatMap(line => {
      const [prototype = '', alike = ''] = line.split('\t')
      return [...alike].map(character => [character, prototype] as const)
    }),
  )
}
