/** Places of addresses, from a MaxMind database that the operator keeps up to date. */
import { stat } from 'node:fs/promises'
import maxmind, { type CityResponse, type Reader } from 'maxmind'
import { AppError } from '../core/errors.ts'
import type { Clock, Logger, Service } from '../core/ports.ts'
import { createRepeatedWork } from '../core/repeated-work.ts'

export interface GeoDatabase extends Service {
  /** `London, GB`; undefined where the address is in no database, or is none. */
  placeOf(address: string): string | undefined
  /** Reads the file again where it has changed; one that cannot be read leaves the places as they are. */
  reload(): Promise<void>
}

export interface GeoDatabaseOptions {
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}

const LOOK_MS = 60_000
const MAX_PLACE = 100

export function createGeoDatabase({ file, clock, log }: GeoDatabaseOptions): GeoDatabase {
  let reader: Reader<CityResponse> | undefined
  let seen = ''

  const open = async (): Promise<void> => {
    const { mtimeMs, size, ino } = await stat(file)
    const found = `${mtimeMs}/${size}/${ino}`
    if (found === seen) return
    // Looked at before it is read: what is written meanwhile is found the next time.
    seen = found
    reader = await maxmind.open<CityResponse>(file)
  }
  const reload = async (): Promise<void> => {
    try {
      const before = reader
      await open()
      if (reader !== before) log.info({ file }, 'places are read from a new database')
    } catch (error) {
      log.warn({ file, error: String(error) }, 'the database of places cannot be read; the one before is used')
    }
  }
  const looks = createRepeatedWork(clock, LOOK_MS, reload)

  return {
    async start() {
      try {
        await open()
      } catch (error) {
        throw new AppError(
          'invalid_input',
          `The database of places '${file}' cannot be read. Nothing was started. Give the path of a MaxMind DB file (.mmdb), or leave ROOTSTREAM_GEO_DB out.`,
          { cause: error },
        )
      }
      looks.start()
    },
    stop: () => looks.stop(),
    reload,
    placeOf(address) {
      // The reader takes what only begins like an address.
      if (reader === undefined || !maxmind.validate(address)) return undefined
      try {
        return textOf(reader.get(address))
      } catch (error) {
        log.warn({ file, error: String(error) }, 'the database of places has a record that cannot be read')
        return undefined
      }
    },
  }
}

function textOf(found: CityResponse | null): string | undefined {
  const city = found?.city?.names?.en
  const country = (found?.country ?? found?.registered_country)?.iso_code
  const parts = [city, country].filter(part => typeof part === 'string' && part !== '')
  return parts.length === 0 ? undefined : [...parts.join(', ')].slice(0, MAX_PLACE).join('')
}
