/** Two nodes of one process. */
import { beforeEach } from 'vitest'
import { createInProcessHub, type InProcessHub } from '../../src/sync/in-process-bus.ts'
import { describeTwoNodes } from './two-nodes.ts'

let hub: InProcessHub
beforeEach(() => {
  hub = createInProcessHub()
})

describeTwoNodes('a bus in one process', () => ({ hub }))
