/** What nodes tell each other beside the log says who people are, too: it goes out sealed under the key ring, and is kept nowhere. */
import { z } from 'zod'
import { isErrorCode } from '../core/errors.ts'
import type { Bus } from '../core/ports.ts'
import type { Wrapping } from './personal-keys.ts'

type Tentatives = Pick<Bus, 'publishTentative' | 'onTentative' | 'onGap'>

const CONTEXT = 'tentative'
/** Of nodes that do not seal yet, the payload is what it says. */
const sealedPayload = z.strictObject({ sealed: z.string() })

/** Keys of users lie in Postgres, which is away where this is needed, so it is the ring that seals. */
export function sealedExchange(bus: Tentatives, ring: Wrapping): Tentatives {
  return {
    publishTentative: json => bus.publishTentative(JSON.stringify({ sealed: ring.seal(json, CONTEXT) })),
    onTentative: listener => bus.onTentative(frame => listener({ ...frame, payload: opened(ring, frame.payload) })),
    onGap: listener => bus.onGap(listener),
  }
}

/** What cannot be opened is told as it came, and counted as malformed: its writer sends it again, and the log has it in the end. */
function opened(ring: Wrapping, payload: unknown): unknown {
  const { success, data } = sealedPayload.safeParse(payload)
  if (!success) return payload
  try {
    return JSON.parse(ring.open(data.sealed, CONTEXT))
  } catch (error) {
    if (!isErrorCode(error, 'corrupt_data')) throw error
    return payload
  }
}
