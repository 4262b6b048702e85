/** The measured process of the memory of sessions: a node that is idle, then one with all sessions open and in use. */
import { createNode } from '../src/app.ts'
import { openAll, type SessionMemory } from './auth-sessions.ts'
import { memoryInUse } from './measured-process.ts'
import { SILENT } from './silent.ts'

const [url = ''] = process.argv.slice(2)
const node = await createNode({ database: url, log: SILENT })
const idle = memoryInUse()
await openAll(node)
await node.projections.caughtUp()
const hot = memoryInUse()
process.send?.({ resident: [idle.rss, hot.rss], heap: [idle.heapUsed, hot.heapUsed] } satisfies SessionMemory)
await node.close()
process.disconnect()
