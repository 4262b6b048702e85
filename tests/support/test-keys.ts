/** The key ring of the tests: nodes of one log that have homes of their own, or are processes, share it. */
import type { KeySource } from '../../src/auth/key-source.ts'

export const TEST_KEY_TEXT = `tests:${Buffer.alloc(32, 7).toString('base64url')}`
export const TEST_KEYS: KeySource = { kind: 'text', text: TEST_KEY_TEXT }
