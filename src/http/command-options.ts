/** What commands say beside their event, in headers or in a batch. */
import type { z } from 'zod'
import type { CommandOptions } from '../actors/command.ts'
import type { commandHeaders } from './input.ts'

type Given = {
  readonly [Key in 'commandId' | 'userId' | 'expectedVersion' | 'correlation' | 'traceparent']?:
    | CommandOptions[Key]
    | undefined
}

/** What is given, without the rest. */
export function optionsOf({ commandId, userId, expectedVersion, correlation, traceparent }: Given): CommandOptions {
  return {
    ...(commandId === undefined ? {} : { commandId }),
    ...(userId === undefined ? {} : { userId }),
    ...(expectedVersion === undefined ? {} : { expectedVersion }),
    ...(correlation === undefined ? {} : { correlation }),
    ...(traceparent === undefined ? {} : { traceparent }),
  }
}

export function headerOptions(headers: z.output<typeof commandHeaders>): CommandOptions {
  return optionsOf({
    commandId: headers['idempotency-key'],
    userId: headers['x-user-id'],
    expectedVersion: headers['if-match'],
    correlation: headers['x-correlation-id'],
    traceparent: headers.traceparent,
  })
}
