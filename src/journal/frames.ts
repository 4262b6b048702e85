/** The form of a journal on disk: one frame for each group commit, so that only the last one can be torn by a crash. */
import { crc32 } from 'node:zlib'

const MAGIC = Buffer.from('RSJ1')
/** Magic, bytes of the payload, CRC32 of the payload, CRC32 of the twelve bytes before. Little endian. */
export const HEADER_BYTES = 16

/** A whole journal as it was read. */
export interface Scan {
  readonly payloads: readonly Buffer[]
  /** Where the intact frames end. */
  readonly end: number
  /** `torn`: what follows is the one frame that was being written. `corrupt`: a frame that was written whole no longer is. */
  readonly rest: 'none' | 'torn' | 'corrupt'
}

export function frame(payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32LE(payload.length, 4)
  header.writeUInt32LE(crc32(payload), 8)
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12)
  return Buffer.concat([header, payload])
}

export function scan(file: Buffer): Scan {
  const payloads: Buffer[] = []
  let end = 0
  while (end < file.length) {
    const payload = payloadAt(file, end)
    if (payload === undefined) return { payloads, end, rest: wasFollowed(file, end) ? 'corrupt' : 'torn' }
    payloads.push(payload)
    end += HEADER_BYTES + payload.length
  }
  return { payloads, end, rest: 'none' }
}

function payloadAt(file: Buffer, at: number): Buffer | undefined {
  const length = lengthAt(file, at)
  if (length === undefined) return undefined
  const payload = file.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length)
  return payload.length === length && crc32(payload) === file.readUInt32LE(at + 8) ? payload : undefined
}

/** What the header at this place says of its payload, or undefined where no intact header is. */
function lengthAt(file: Buffer, at: number): number | undefined {
  if (at + HEADER_BYTES > file.length || !file.subarray(at, at + MAGIC.length).equals(MAGIC)) return undefined
  if (crc32(file.subarray(at, at + 12)) !== file.readUInt32LE(at + 12)) return undefined
  return file.readUInt32LE(at + 4)
}

/** A frame is begun only after the one before it was synced: where anything follows it, it had been whole. */
function wasFollowed(file: Buffer, at: number): boolean {
  const length = lengthAt(file, at)
  if (length !== undefined) return at + HEADER_BYTES + length < file.length
  for (let next = file.indexOf(MAGIC, at + 1); next >= 0; next = file.indexOf(MAGIC, next + 1))
    if (lengthAt(file, next) !== undefined) return true
  return false
}
