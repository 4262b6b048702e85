/** The registry: every entity of the runtime. */
import { billing } from './billing/index.ts'
import { broadcast } from './broadcast/index.ts'
import { conflict } from './conflict/index.ts'
import type { EntityDefinition } from './define.ts'
import { factor } from './factor/index.ts'
import { mfaAttempt } from './mfa-attempt/index.ts'
import { recording } from './recording/index.ts'
import { session } from './session/index.ts'
import { stream } from './stream/index.ts'
import { ticket } from './ticket/index.ts'
import { trustedDevice } from './trusted-device/index.ts'
import { usage } from './usage/index.ts'
import { user } from './user/index.ts'

export const entities: readonly EntityDefinition[] = [
  user,
  session,
  factor,
  mfaAttempt,
  trustedDevice,
  ticket,
  stream,
  broadcast,
  recording,
  usage,
  billing,
  conflict,
]
