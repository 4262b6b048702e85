/** The life of a factor: enrolled, confirmed by a first code, used, removed. What was used once is not taken again. */
import { assign, setup } from 'xstate'
import { changed, type WithRow } from '../read-row.ts'
import { type FactorEvent, MAX_PASSKEYS } from './events.ts'
import { counts, type HeldPasskey, held, holds, passkeysAfter } from './passkeys.ts'
import type { FactorRow } from './row.ts'

interface SentCode {
  readonly codeHash: string
  /** ISO 8601. */
  readonly expiresAt: string
  readonly misses: number
}

export interface FactorContext extends WithRow<FactorRow> {
  readonly row: FactorRow | null
  /** Of TOTP: the last time step that was used. */
  readonly lastStep: number
  /** Of TOTP: wrong codes since the last right one. */
  readonly wrongCodes: number
  readonly sentCode: SentCode | null
  readonly passkeys: readonly HeldPasskey[]
}

/** Wrong guesses at one code that was sent. */
export const MAX_MISSES = 5
/** Wrong codes of an app in a row, over all nodes and however slowly, after which it is not asked again (NIST SP 800-63B-4). */
export const MAX_WRONG_CODES = 100

const base = setup({ types: {} as { context: FactorContext; events: FactorEvent } })

const used = (row: FactorRow | null, at: string) => changed(row, { last_used_at: at })

const useStep = base.createAction(
  assign(({ context, event }) =>
    event.type === 'factor.step.used'
      ? { row: used(context.row, event.at), lastStep: event.step, wrongCodes: 0 }
      : context,
  ),
)

const countWrong = base.createAction(assign(({ context }) => ({ wrongCodes: context.wrongCodes + 1 })))

const send = base.createAction(
  assign(({ event }) =>
    event.type === 'factor.code.sent'
      ? { sentCode: { codeHash: event.codeHash, expiresAt: event.expiresAt, misses: 0 } }
      : {},
  ),
)

const miss = base.createAction(
  assign(({ context: { sentCode } }) => ({
    sentCode:
      sentCode === null || sentCode.misses + 1 >= MAX_MISSES ? null : { ...sentCode, misses: sentCode.misses + 1 },
  })),
)

const useCode = base.createAction(
  assign(({ context, event }) => ({ row: used(context.row, event.at), sentCode: null })),
)

const useBackup = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'factor.backup.used') return context
    const codes = context.row?.backup_codes ?? []
    // By its place: it is the same where the codes themselves are masked.
    const left = codes.toSpliced(codes.indexOf(event.codeHash), 1)
    return { row: changed(context.row, { backup_codes: left, last_used_at: event.at }) }
  }),
)

const replaceBackups = base.createAction(
  assign(({ context, event }) =>
    event.type === 'factor.backup.replaced'
      ? { row: changed(context.row, { backup_codes: event.backupCodes }) }
      : context,
  ),
)

const changePasskeys = base.createAction(
  assign(({ context, event }) => ({ passkeys: passkeysAfter(context.passkeys, event) })),
)

const usePasskey = base.createAction(
  assign(({ context, event }) => ({
    row: used(context.row, event.at),
    passkeys: passkeysAfter(context.passkeys, event),
  })),
)

const reseal = base.createAction(
  assign(({ context, event }) =>
    event.type === 'factor.resealed' ? { row: changed(context.row, { secret: event.secret }) } : context,
  ),
)

/** A factor that is gone keeps nothing of what it was. */
const remove = base.createAction(
  assign(({ context }) => ({
    row: changed(context.row, { is_enabled: false, secret: '', backup_codes: null }),
    sentCode: null,
    passkeys: [],
  })),
)

const enrol = base.createAction(
  assign(({ context, event }) => {
    if (event.type !== 'factor.enrolled') return context
    return {
      row: {
        user_id: event.userId,
        method: event.method,
        secret: event.secret ?? '',
        // What is shown to enrol it was checked before; a secret or an address is confirmed by a first code.
        is_enabled: event.method === 'passkey' || event.method === 'backup_codes',
        backup_codes: event.backupCodes ?? null,
        created_at: event.at,
        last_used_at: null,
      },
      passkeys: event.passkey === undefined ? [] : [held(event.passkey, event.at)],
    }
  }),
)

const confirm = base.createAction(
  assign(({ context, event }) => ({
    row: changed(context.row, { is_enabled: true }),
    lastStep: event.type === 'factor.confirmed' ? (event.step ?? context.lastStep) : context.lastStep,
    sentCode: null,
  })),
)

const always = {
  'factor.resealed': { actions: reseal },
  'factor.removed': { target: 'removed', actions: remove },
} as const

const missable = {
  'factor.code.sent': { actions: send },
  'factor.code.missed': {
    guard: ({ context }: { context: FactorContext }) => context.sentCode !== null,
    actions: miss,
  },
} as const

export const machine = base.createMachine({
  id: 'factor',
  context: { row: null, lastStep: -1, wrongCodes: 0, sentCode: null, passkeys: [] },
  initial: 'absent',
  states: {
    absent: {
      on: {
        'factor.enrolled': [
          { guard: ({ event }) => event.method === 'totp', target: 'totp-unconfirmed', actions: enrol },
          { guard: ({ event }) => event.method === 'passkey', target: 'passkeys', actions: enrol },
          { guard: ({ event }) => event.method === 'backup_codes', target: 'backup-codes', actions: enrol },
          { target: 'address-unconfirmed', actions: enrol },
        ],
      },
    },
    'totp-unconfirmed': {
      on: {
        'factor.confirmed': { guard: ({ event }) => event.step !== undefined, target: 'totp', actions: confirm },
        ...always,
      },
    },
    totp: {
      on: {
        'factor.step.used': {
          guard: ({ context, event }) => event.step > context.lastStep && context.wrongCodes < MAX_WRONG_CODES,
          actions: useStep,
        },
        'factor.code.missed': {
          guard: ({ context }) => context.wrongCodes < MAX_WRONG_CODES,
          actions: countWrong,
        },
        ...always,
      },
    },
    'address-unconfirmed': {
      on: {
        'factor.confirmed': {
          guard: ({ context, event }) => isSent(context, event.codeHash, event.at),
          target: 'address',
          actions: confirm,
        },
        ...missable,
        ...always,
      },
    },
    address: {
      on: {
        'factor.code.used': {
          guard: ({ context, event }) => isSent(context, event.codeHash, event.at),
          actions: useCode,
        },
        ...missable,
        ...always,
      },
    },
    passkeys: {
      on: {
        'factor.passkey.added': {
          guard: ({ context: { passkeys }, event }) =>
            passkeys.length < MAX_PASSKEYS && !passkeys.some(({ id }) => id === event.passkey.id),
          actions: changePasskeys,
        },
        'factor.passkey.used': {
          guard: ({ context, event }) => counts(context.passkeys, event.id, event.counter),
          actions: usePasskey,
        },
        'factor.passkey.doubted': {
          guard: ({ context, event }) => holds(context, event.id),
          actions: changePasskeys,
        },
        'factor.passkey.renamed': {
          guard: ({ context, event }) => holds(context, event.id),
          actions: changePasskeys,
        },
        'factor.passkey.removed': [
          {
            guard: ({ context: { passkeys }, event }) => passkeys.length === 1 && passkeys[0]?.id === event.id,
            target: 'removed',
            actions: [changePasskeys, remove],
          },
          {
            guard: ({ context, event }) => holds(context, event.id),
            actions: changePasskeys,
          },
        ],
        ...always,
      },
    },
    'backup-codes': {
      on: {
        'factor.backup.used': {
          guard: ({ context, event }) => context.row?.backup_codes?.includes(event.codeHash) === true,
          actions: useBackup,
        },
        'factor.backup.replaced': { actions: replaceBackups },
        ...always,
      },
    },
    removed: {},
  },
})

function isSent({ sentCode }: FactorContext, hash: string | undefined, at: string): boolean {
  return sentCode !== null && sentCode.codeHash === hash && Date.parse(sentCode.expiresAt) > Date.parse(at)
}
