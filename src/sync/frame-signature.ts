/** Signs what nodes send each other, so that a frame of anybody without the key is known before it is parsed. */
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'

/** Grows when an older node could misread a frame. It is what every format starts with: a node of another one finds it. */
const FORMAT = 2
/** The signature has a fixed place at the start; the whole is JSON, so that nodes of the first format still read `v`. */
const OPENING = `{"v":${FORMAT},"mac":"`
const CLOSING = '",'
/** Of an HMAC-SHA-256 in base64url. */
const MAC_LENGTH = 43
/** Where the signed part of a frame begins. */
export const BODY_AT = OPENING.length + MAC_LENGTH + CLOSING.length
const FORMAT_OF_FRAME = /^\{"v":(?<format>[0-9]{1,9})[,}]/
/** Keeps these signatures apart from any other use of the key. */
const PURPOSE = 'rootstream frame 2\n'

export interface FrameSignature {
  /** @param fields a JSON object without its opening brace */
  sign(fields: string): string
  /** `signed`, or why the frame is not to be read. Looks at bytes only. */
  check(payload: Buffer): 'signed' | 'malformed' | 'foreignVersion' | 'forged'
}

/** @param key what all nodes of one log share, and nobody else */
export function createFrameSignature(key: KeyObject): FrameSignature {
  const mac = (body: string | Buffer) => createHmac('sha256', key).update(PURPOSE).update(body).digest('base64url')
  return {
    sign: fields => `${OPENING}${mac(fields)}${CLOSING}${fields}`,
    check(payload) {
      const start = payload.toString('latin1', 0, BODY_AT)
      const format = FORMAT_OF_FRAME.exec(start)?.groups?.format
      if (format === undefined) return 'malformed'
      if (Number(format) !== FORMAT) return 'foreignVersion'
      if (!start.startsWith(OPENING) || !start.endsWith(CLOSING) || start.length < BODY_AT) return 'forged'
      const given = payload.subarray(OPENING.length, OPENING.length + MAC_LENGTH)
      const right = Buffer.from(mac(payload.subarray(BODY_AT)), 'latin1')
      return timingSafeEqual(given, right) ? 'signed' : 'forged'
    },
  }
}
