/** Secrets at rest: sealed under a ring of keys, of which the first seals and all open. */
import { createHmac, hkdfSync, type KeyObject } from 'node:crypto'
import { asKey, open, seal } from '../cipher.ts'
import { AppError } from '../core/errors.ts'
import type { RingKey } from './key-text.ts'

export interface KeyRing {
  /** @param context what it belongs to, as `factor/12/secret`: it opens nowhere else */
  seal(text: string, context: string): string
  /** Throws AppError `corrupt_data` where it was changed, belongs elsewhere or its key is not in the ring. */
  open(sealed: string, context: string): string
  /** Whether it was sealed under another key than the first. */
  isStale(sealed: string): boolean
  /** A keyed hash of what is too short to be hashed plainly: addresses, codes of six digits. The same under every key of the ring. */
  fingerprint(text: string, context: string): string
  /** Ids of the keys, the first the one that seals. */
  keyIds(): readonly [string, ...string[]]
}

export interface KeyRingOptions {
  /** 32 bytes that fingerprints are made with, default the oldest key: they are compared over years, and outlive the keys. */
  readonly naming?: Buffer
  /** The keys by now, where they can change while the node runs; asked before each seal and for each key that is missing. */
  readonly latest?: () => readonly RingKey[]
}

/** The nonce and the rest stand apart. */
const FORM = /^v1\.([A-Za-z0-9-]{1,32})\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{22,})$/
const NONCE_LENGTH = 16

/** @param keys the newest first; at least one */
export function createKeyRing(keys: readonly RingKey[], { naming, latest }: KeyRingOptions = {}): KeyRing {
  let known = derivedKeys(keys)
  const update = () => {
    if (latest !== undefined) known = derivedKeys(latest())
    return known
  }
  const namingKey = derive(naming ?? known.oldest, 'naming')
  return {
    seal: (text, context) => {
      const { ids, byId } = update()
      const sealed = seal(byId.get(ids[0]) as KeyObject, text, context)
      return `v1.${ids[0]}.${sealed.slice(0, NONCE_LENGTH)}.${sealed.slice(NONCE_LENGTH)}`
    },
    open: (sealed, context) => {
      const [, id, nonce = '', body = ''] = FORM.exec(sealed) ?? []
      if (id === undefined) throw changed(context)
      const key = known.byId.get(id) ?? update().byId.get(id)
      if (key === undefined) throw missing(id, known.ids)
      const text = open(key, nonce + body, context)
      if (text === undefined) throw changed(context)
      return text
    },
    isStale: sealed => keyIdOf(sealed) !== update().ids[0],
    fingerprint: (text, context) => createHmac('sha256', namingKey).update(`${context}\0${text}`).digest('base64url'),
    keyIds: () => update().ids,
  }
}

/** The key that something was sealed under; undefined for what is not sealed. */
export function keyIdOf(sealed: string): string | undefined {
  return FORM.exec(sealed)?.[1]
}

interface DerivedKeys {
  readonly ids: readonly [string, ...string[]]
  readonly byId: ReadonlyMap<string, KeyObject>
  readonly oldest: Buffer
}

function derivedKeys(keys: readonly RingKey[]): DerivedKeys {
  const [newest, ...others] = keys
  if (newest === undefined) throw new Error('a key ring without a key')
  return {
    ids: [newest.id, ...others.map(({ id }) => id)],
    byId: new Map(keys.map(({ id, key }) => [id, asKey(derive(key, 'sealing'))])),
    oldest: (keys.at(-1) ?? newest).key,
  }
}

/** One key for each use. */
function derive(key: Buffer, use: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), `rootstream ${use}`, 32))
}

function changed(context: string): AppError {
  return new AppError(
    'corrupt_data',
    `What is sealed for ${context} was changed, or belongs elsewhere. Nothing was changed. Look for who changed the database; where it is a factor, remove it and enrol it again.`,
  )
}

function missing(id: string, ids: readonly string[]): AppError {
  return new AppError(
    'corrupt_data',
    `A sealed secret needs the key '${id}', and the key ring of this node has ${ids.join(', ')}. Nothing was changed. Add the key to the ring and try again.`,
  )
}
