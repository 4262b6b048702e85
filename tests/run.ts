/** `npm test`: brings the servers the suites need, runs every suite, and ends with a line that counts. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { debianPostgres, debianRedis } from './setup/debian.ts'

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly name: string
    readonly message?: string
    readonly assertionResults: readonly unknown[]
  }[]
}

const ROOT = path.resolve(import.meta.dirname, '..')
const PROJECTS = ['unit', 'pg15', 'pg18', 'redis', 'e2e', 'load']
const inCi = process.env.CI === 'true'

process.exitCode = main(process.argv.slice(2))

function main(args: readonly string[]): number {
  const left = provideServers()
  if (inCi && left.length > 0) {
    console.log('In CI every suite has to run.')
    return 1
  }
  const folder = mkdtempSync(path.join(os.tmpdir(), 'rootstream-run-'))
  const report = path.join(folder, 'report.json')
  try {
    const projects = PROJECTS.filter(name => !left.includes(name)).flatMap(name => ['--project', name])
    const chosen = args.includes('--project') ? [] : projects
    const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs')
    const { status } = spawnSync(
      process.execPath,
      [
        vitest,
        'run',
        '--root',
        ROOT,
        ...chosen,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...args,
      ],
      { cwd: ROOT, stdio: 'inherit' },
    )
    return summarise(JSON.parse(readFileSync(report, 'utf8')) as Report, status)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Prints the count; answers the exit code. */
function summarise(report: Report, status: number | null): number {
  // A file that could not be loaded has failed, though it has no tests to count.
  const broken = report.testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0)
  for (const { name, message } of broken) console.log(`not run: ${name} ${message ?? ''}`)
  const skipped = report.numPendingTests + report.numTodoTests
  const failed = report.numFailedTests + broken.length
  const wrong = failed > 0 || status !== 0 || report.numPassedTests === 0 || (inCi && skipped > 0)
  if (wrong && failed === 0)
    console.log(
      report.numPassedTests === 0
        ? 'No test ran.'
        : skipped > 0 && inCi
          ? 'In CI nothing may be skipped.'
          : 'The run itself failed: see above.',
    )
  console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
  return wrong ? 1 : 0
}

/** Installs Debian's servers where they are missing; answers the suites that must be left out. */
function provideServers(): readonly string[] {
  const missing = [
    ...(debianPostgres() === undefined ? ['postgresql-15'] : []),
    ...(debianRedis() ? [] : ['redis-server']),
  ]
  if (missing.length > 0 && process.getuid?.() === 0) install(missing)
  const left = [...(debianPostgres() === undefined ? ['pg15'] : []), ...(debianRedis() ? [] : ['redis'])]
  if (left.length > 0)
    console.log(`left out: ${left.join(', ')} (needs Debian's ${missing.join(' and ')}, which only root can install)`)
  return left
}

/** Without starting anything: the suites run servers of their own, and the machine's services are not ours. */
function install(packages: readonly string[]): void {
  console.log(`installing Debian's ${packages.join(' and ')} for the suites`)
  const policy = '/usr/sbin/policy-rc.d'
  const guarded = existsSync(policy)
  // dpkg asks this program whether a service may start: 101 is no.
  if (!guarded) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    apt(['update', '-qq'])
    if (packages.includes('postgresql-15')) {
      // The package of a server makes a cluster at once, unless it is told not to before it comes.
      apt(['install', '-y', '-qq', '--no-install-recommends', 'postgresql-common'])
      writeFileSync('/etc/postgresql-common/createcluster.conf', 'create_main_cluster = false\n')
    }
    apt(['install', '-y', '-qq', '--no-install-recommends', ...packages])
  } finally {
    if (!guarded) rmSync(policy, { force: true })
  }
}

function apt(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync('apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
  })
  if (status !== 0)
    console.log(`apt-get ${args[0]} failed: ${`${stdout}${stderr}`.trim().split('\n').slice(-3).join(' | ')}`)
}
