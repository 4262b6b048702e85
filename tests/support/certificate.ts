/** A certificate for this machine that signs itself, by openssl. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from './temporary-folder.ts'

export interface Certificate {
  readonly cert: string
  readonly key: string
  /** The file of the certificate, for clients that trust it. */
  readonly file: string
  remove(): Promise<void>
}

export async function createCertificate(): Promise<Certificate> {
  const folder = await temporaryFolder('tls')
  const file = (name: string) => path.join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('tls.key')]
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  await promisify(execFile)('openssl', ['req', '-x509', '-days', '2', ...key, ...names, '-out', file('tls.crt')])
  return {
    cert: readFileSync(file('tls.crt'), 'utf8'),
    key: readFileSync(file('tls.key'), 'utf8'),
    file: file('tls.crt'),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
