/** A program outside the checkout that depends on it by its path: types and runs, with what the README says it needs. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { temporaryFolder } from './support/temporary-folder.ts'

const ROOT = path.resolve(import.meta.dirname, '..')
const PROGRAM = `import { AppError, createNode, type NodeOptions, type RuntimeNode } from 'rootstream-runtime'

const options: NodeOptions = { memory: true }
const node: RuntimeNode = await createNode(options)
const created = await node.create('user', {
  type: 'user.registered', username: 'ada', email: 'ada@example.org', passwordHash: 'x',
})
const refused = await node.actor('stream', 1).state().catch(error => (error instanceof AppError ? error.code : 'bug'))
console.log(created.ok, typeof refused)
await node.close()
`
const OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  module: 'nodenext',
  target: 'esnext',
  types: ['node'],
}

const run = promisify(execFile)
let folder: string
beforeAll(async () => {
  folder = await temporaryFolder('embedding with a space')
  await mkdir(path.join(folder, 'node_modules'))
  // What npm makes of a dependency by path, and the types of Node.
  await symlink(ROOT, path.join(folder, 'node_modules/rootstream-runtime'))
  await symlink(path.join(ROOT, 'node_modules/@types'), path.join(folder, 'node_modules/@types'))
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, files: ['main.ts'] }))
  await writeFile(path.join(folder, 'main.ts'), PROGRAM)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('it type-checks with the options that the README names', async () => {
  const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8')
  for (const option of Object.keys(OPTIONS)) expect(readme).toContain(`"${option}"`)
  const { stdout } = await run(path.join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: folder }).catch(
    (failed: { stdout: string }) => failed,
  )
  expect(stdout).toBe('')
}, 120_000)

test('it runs, and ends when its node is closed', async () => {
  const { stdout } = await run(process.execPath, ['main.ts'], { cwd: folder })
  expect(stdout).toBe('true object\n')
}, 120_000)
