/** What is known of whoever asks. */
import type { JsonObject } from '../core/json.ts'

export interface Client {
  readonly ipAddress?: string
  readonly userAgent?: string
  readonly deviceId?: string
  /** What the client says of its device, hashed. */
  readonly deviceFingerprint?: string
  readonly geoLocation?: string
}

/** As events of a session hold it: text past the column is cut, for a long user agent is no reason to refuse a login. */
export function clientData({ ipAddress, userAgent, deviceId, deviceFingerprint, geoLocation }: Client): JsonObject {
  return {
    ...(ipAddress === undefined ? {} : { ipAddress }),
    ...(userAgent === undefined ? {} : { userAgent: cut(userAgent, 2_000) }),
    ...(deviceId === undefined ? {} : { deviceId: asKept(deviceId) }),
    ...(deviceFingerprint === undefined ? {} : { deviceFingerprint: asKept(deviceFingerprint) }),
    ...(geoLocation === undefined ? {} : { geoLocation: cut(geoLocation, 100) }),
  }
}

/** A device as a session holds it, to compare with. */
export function asKept(device: string): string
export function asKept(device: string | undefined): string | undefined
export function asKept(device: string | undefined): string | undefined {
  return device === undefined ? undefined : cut(device, 255)
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : [...text].slice(0, max).join('')
}
