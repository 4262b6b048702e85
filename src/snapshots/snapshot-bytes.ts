/** The bytes form of a snapshot: a short head, then its JSON, compressed where that gains. */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib'
import { AppError } from '../core/errors.ts'
import { type ActorSnapshot, MAX_SNAPSHOT_BYTES, newerFormat, parseSnapshot, SNAPSHOT_FORMAT } from './snapshot.ts'

/** `RSS`, the format, the coding of what follows. */
const MAGIC = Buffer.from('RSS')
const HEAD_BYTES = MAGIC.length + 2
const PLAIN = 0
const BROTLI = 1
/** Below it brotli's own overhead and time are not worth the few bytes. */
const COMPRESS_FROM_BYTES = 512

/** Throws AppError `payload_too_large` where its JSON is larger than 16 MiB. */
export function encodeSnapshot(snapshot: ActorSnapshot): Buffer {
  const json = Buffer.from(JSON.stringify(snapshot))
  if (json.length > MAX_SNAPSHOT_BYTES) throw tooLarge()
  const packed = json.length < COMPRESS_FROM_BYTES ? json : compress(json)
  const [coding, body] = packed.length < json.length ? [BROTLI, packed] : [PLAIN, json]
  return Buffer.concat([MAGIC, Buffer.of(snapshot.format, coding), body])
}

/** Throws AppError `invalid_input`, `schema_mismatch` (a newer format), `payload_too_large` (more than 16 MiB unpacked). */
export function decodeSnapshot(bytes: Uint8Array): ActorSnapshot {
  if (bytes.byteLength > HEAD_BYTES + MAX_SNAPSHOT_BYTES) throw tooLarge()
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const format = buffer[MAGIC.length]
  const coding = buffer[MAGIC.length + 1]
  if (!buffer.subarray(0, MAGIC.length).equals(MAGIC) || format === undefined || coding === undefined) throw broken()
  if (format > SNAPSHOT_FORMAT) throw newerFormat('snapshot', format)
  const body = buffer.subarray(HEAD_BYTES)
  let value: unknown
  if (coding !== PLAIN && coding !== BROTLI) throw broken()
  const json = coding === PLAIN ? body : decompress(body)
  try {
    value = JSON.parse(json.toString('utf8'))
  } catch (cause) {
    throw broken(cause)
  }
  return parseSnapshot(value)
}

function compress(json: Buffer): Buffer {
  return brotliCompressSync(json, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_SIZE_HINT]: json.length },
  })
}

function decompress(body: Buffer): Buffer {
  try {
    // Stops as soon as more comes out, whatever the input promises.
    return brotliDecompressSync(body, { maxOutputLength: MAX_SNAPSHOT_BYTES })
  } catch (cause) {
    throw (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(cause) : broken(cause)
  }
}

function tooLarge(cause?: unknown): AppError {
  return new AppError(
    'payload_too_large',
    `A snapshot takes at most ${MAX_SNAPSHOT_BYTES} bytes. This one was not read or written; the log has all of its events.`,
    { cause },
  )
}

function broken(cause?: unknown): AppError {
  return new AppError(
    'invalid_input',
    'These bytes are not a snapshot, or were cut off. Nothing was changed; ask the node for a new one.',
    { cause },
  )
}
