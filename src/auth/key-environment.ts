/** What the environment says of where the key ring is. */
import path from 'node:path'
import { z } from 'zod'
import type { KeySource } from './key-source.ts'

/** Each with the form it must have. */
export const KEY_VARIABLES = {
  ROOTSTREAM_KEYS: { isValid: () => true, form: 'keys of the form id:key, between commas or lines' },
  ROOTSTREAM_KEY_FILE: { isValid: () => true, form: 'the path of a file' },
  ROOTSTREAM_KEY_COMMAND: {
    isValid: (text: string) => programOf(text) !== undefined,
    form: 'a program and its arguments as a JSON array of texts: ["vault", "kv", "get", "-field=keys", "secret/rootstream"]',
  },
} as const

type KeyVariable = keyof typeof KEY_VARIABLES

export interface KeyEnvironment {
  readonly keys: KeySource
  /** Variables of which there may be only one, and what they must be. */
  readonly wrong: readonly (readonly [KeyVariable, string])[]
}

/**
 * @param values by variable, each of its form
 * @param home where the node makes a file of its own, if none is named
 */
export function readKeySource(
  values: Readonly<Partial<Record<KeyVariable, string | undefined>>>,
  home: string,
): KeyEnvironment {
  const given = (Object.keys(KEY_VARIABLES) as KeyVariable[]).filter(name => values[name] !== undefined)
  const keys = sourceOf(values, home)
  if (given.length < 2) return { keys, wrong: [] }
  return { keys, wrong: given.map(name => [name, 'the only one of its kind: it says where the keys are']) }
}

function sourceOf(values: Readonly<Partial<Record<KeyVariable, string | undefined>>>, home: string): KeySource {
  if (values.ROOTSTREAM_KEYS !== undefined) return { kind: 'text', text: values.ROOTSTREAM_KEYS }
  if (values.ROOTSTREAM_KEY_FILE !== undefined) return { kind: 'file', file: path.resolve(values.ROOTSTREAM_KEY_FILE) }
  const argv = programOf(values.ROOTSTREAM_KEY_COMMAND ?? '')
  return argv === undefined ? { kind: 'own_file', file: path.join(home, 'keys') } : { kind: 'command', argv }
}

function programOf(text: string): readonly string[] | undefined {
  try {
    return z.array(z.string().min(1)).min(1).max(50).parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
