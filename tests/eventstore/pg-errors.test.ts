import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../src/core/errors.ts'
import { isBadValue, isConnectionLoss, isRolledBack, permission, toAppError } from '../../src/eventstore/pg-errors.ts'

function postgres(code: string, message = 'something'): Error {
  return Object.assign(new pg.DatabaseError(message, message.length, 'error'), { code })
}

function socket(code: string): Error {
  return Object.assign(new Error(code), { code })
}

describe('what a failure is called', () => {
  test.each([
    ['08006', 'log_unavailable'],
    ['57P01', 'log_unavailable'],
    ['57P03', 'log_unavailable'],
    ['53300', 'log_unavailable'],
    ['53100', 'log_unavailable'],
    ['53200', 'log_unavailable'],
    ['53400', 'log_unavailable'],
    ['58030', 'log_unavailable'],
    ['57014', 'log_unavailable'],
    ['55P03', 'log_unavailable'],
    ['40001', 'log_unavailable'],
    ['40P01', 'log_unavailable'],
    ['25006', 'log_unavailable'],
    ['42501', 'missing_grant'],
    ['42P01', 'schema_mismatch'],
    ['42883', 'schema_mismatch'],
    ['RS002', 'schema_mismatch'],
    ['28P01', 'setup_failed'],
    ['3F000', 'setup_failed'],
    ['3D000', 'setup_failed'],
    ['XX001', 'corrupt_data'],
    ['ECONNREFUSED', 'log_unavailable'],
    ['ECONNRESET', 'log_unavailable'],
    ['ENOTFOUND', 'log_unavailable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'setup_failed'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'setup_failed'],
  ])('%s is %s', (code, called) => {
    const error = /^[0-9A-Z]{5}$/.test(code) ? postgres(code) : socket(code)
    const told = toAppError(error)
    expect(told).toBeInstanceOf(AppError)
    expect(told).toMatchObject({ code: called, cause: error })
  })

  test.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Query read timeout',
    'Client has encountered a connection error and is not queryable',
  ])('%s has no code and is a lost connection', message => {
    expect(isConnectionLoss(new Error(message))).toBe(true)
    expect(toAppError(new Error(message))).toMatchObject({ code: 'log_unavailable' })
  })

  test('a server that takes no writes is not called away', () => {
    expect(toAppError(postgres('25006', 'cannot execute INSERT in a read-only transaction'))).toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('primary'),
    })
  })

  test('a session that Postgres refuses or ends for a reason of its own is no mistake of the runtime', () => {
    const error = Object.assign(postgres('55000', 'database "x" is not currently accepting connections'), {
      severity: 'FATAL',
    })
    expect(toAppError(error)).toMatchObject({
      code: 'log_unavailable',
      message: expect.stringContaining('not currently accepting'),
    })
  })

  test('an address without the password that Postgres asks for is told so', () => {
    for (const what of ['a string', 'a non-empty string'])
      expect(toAppError(new Error(`SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be ${what}`))).toMatchObject({
        code: 'setup_failed',
        message: expect.stringContaining('asks for a password'),
      })
  })

  test('what is none of these stays what it is', () => {
    for (const error of [
      new Error('a bug'),
      new TypeError('x'),
      postgres('42601'),
      new AppError('conflict', 'x'),
      'text',
    ])
      expect(toAppError(error)).toBe(error)
  })
})

test('lost connections, undone statements and bad values are told apart', () => {
  const kinds = (error: Error) => [isConnectionLoss(error), isRolledBack(error), isBadValue(error)]
  expect(kinds(postgres('08006'))).toEqual([true, false, false])
  expect(kinds(postgres('40P01'))).toEqual([false, true, false])
  for (const code of ['22P02', '22P05', '22008', '23505', '21000', '54000'])
    expect(kinds(postgres(code))).toEqual([false, false, true])
  expect(kinds(postgres('53100'))).toEqual([false, false, false])
  expect(kinds(new Error('a bug'))).toEqual([false, false, false])
})

test.each([
  ['permission denied for schema public', 'grant usage, create on schema public to ada;'],
  ['permission denied for table events', 'grant select, insert, update, delete on table events to ada;'],
  ['permission denied for function append_batch', 'grant execute on function append_batch to ada;'],
  ['permission denied for sequence users_id_seq', 'grant usage, select on sequence users_id_seq to ada;'],
  ['permission denied for database app', 'grant connect on database app to ada;'],
  ['must be owner of table users', 'alter table users owner to ada;'],
  ['must be owner of relation users', 'alter table users owner to ada;'],
])('%s is permitted by: %s', (message, statement) => {
  expect(permission(message, 'ada')).toBe(statement)
})
