/** A key for tests of frames, and what somebody who has it could send. */
import { createSecretKey } from 'node:crypto'
import { createFrameSignature } from '../../src/sync/frame-signature.ts'

export const frameKey = createSecretKey('the key of the tests', 'utf8')
export const frameSignature = createFrameSignature(frameKey)

/** Any object as a signed frame. */
export function signedFrame(frame: object): string {
  return frameSignature.sign(JSON.stringify(frame).slice(1))
}
