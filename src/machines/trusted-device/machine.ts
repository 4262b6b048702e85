/** The life of a trusted device: trusted until it is revoked or its time is up. */
import { assign, cancel, raise, setup } from 'xstate'
import { msUntil } from '../fields.ts'
import { changed, type WithRow } from '../read-row.ts'
import { REPLACED_FOR_MS, type Replaced } from '../session/machine.ts'
import type { DeviceEvent } from './events.ts'
import type { DeviceRow } from './row.ts'

export interface DeviceContext extends WithRow<DeviceRow> {
  readonly row: DeviceRow | null
  readonly familyHash: string
  readonly authEpoch: number
  readonly factorsHash: string
  readonly previousToken: Replaced | null
}

const base = setup({
  types: {} as { context: DeviceContext; events: DeviceEvent },
  delays: { expiry: ({ context, event }) => msUntil(context.row?.expires_at ?? null, event.at) },
})

/** It has no row any more, and nobody asks what it was. */
const forget = base.createAction(
  assign(({ context }) => ({ row: changed(context.row, { label: '', device_fingerprint: null }) })),
)

export const machine = base.createMachine({
  id: 'trusted-device',
  context: { row: null, familyHash: '', authEpoch: 0, factorsHash: '', previousToken: null },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'device.trusted': {
          guard: ({ event }) => Date.parse(event.expiresAt) > Date.parse(event.at),
          target: 'trusted',
          actions: assign({
            row: ({ event }) => ({
              user_id: event.userId,
              token_hash: event.tokenHash,
              label: event.label,
              device_fingerprint: event.deviceFingerprint ?? null,
              created_at: event.at,
              last_used_at: null,
              expires_at: new Date(event.expiresAt).toISOString(),
            }),
            familyHash: ({ event }) => event.familyHash,
            authEpoch: ({ event }) => event.authEpoch,
            factorsHash: ({ event }) => event.factorsHash,
          }),
        },
      },
    },
    trusted: {
      entry: raise({ type: 'device.expired', at: '' }, { id: 'expiry', delay: 'expiry' }),
      exit: cancel('expiry'),
      on: {
        'device.used': {
          guard: ({ context: { row }, event }) =>
            row !== null && row.token_hash === event.shownHash && Date.parse(row.expires_at) > Date.parse(event.at),
          actions: assign({
            row: ({ context, event }) => changed(context.row, { token_hash: event.tokenHash, last_used_at: event.at }),
            previousToken: ({ event }) => ({
              tokenHash: event.shownHash,
              until: new Date(Date.parse(event.at) + REPLACED_FOR_MS).toISOString(),
            }),
          }),
        },
        'device.revoked': { target: 'revoked', actions: forget },
        'device.expired': { target: 'expired', actions: forget },
      },
    },
    revoked: {},
    expired: {},
  },
})
