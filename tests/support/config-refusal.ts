/** Why an environment is refused. */
import { loadConfig } from '../../src/config.ts'
import { AppError } from '../../src/core/errors.ts'

export function refusalOf(env: Record<string, string>): AppError {
  try {
    loadConfig(env)
  } catch (error) {
    if (error instanceof AppError) return error
    throw error
  }
  throw new Error('it was taken')
}
