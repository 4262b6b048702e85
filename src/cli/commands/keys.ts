/** `rootstream keys list | rotate | drop | generate` */
import type { Command } from 'commander'
import { formatKey, newKey } from '../../auth/key-text.ts'
import { systemClock } from '../../system-clock.ts'
import { runs, withNode } from '../command.ts'

export function keysCommand(program: Command): void {
  const keys = program
    .command('keys')
    .description('the keys that secrets at rest are sealed under')
    .addHelpText(
      'after',
      '\nThe first key of the ring seals, all of them open. The ring comes from ROOTSTREAM_KEYS, ROOTSTREAM_KEY_FILE or ROOTSTREAM_KEY_COMMAND, else from the file `keys` in the home of the node.',
    )

  const list = keys.command('list').description('the keys by id, and how much is sealed under each')
  runs(list, context =>
    withNode(context, async node => {
      const found = await node.keys.list()
      context.out.result({ source: node.keys.status().source, keys: found }, () =>
        context.out.table(
          found.map(key => ({ ...key })),
          ['id', 'role', 'records'],
        ),
      )
    }),
  )

  const rotate = keys
    .command('rotate')
    .description('seal everything under the first key of the ring; where it is already, under a new one')
    .addHelpText(
      'after',
      '\nA new key is made only where the ring is in a file that this program can write, and comes first in it. Nodes on this\nmachine take it from there at once. With several machines, give each the new key at the end of its ring, then put it\nfirst everywhere, and rotate then. What a run leaves undone the next one does; until then all keys are needed.',
    )
  runs(rotate, context =>
    withNode(context, async node => {
      const done = await node.keys.rotate((resealed, of) => context.out.progress('sealing', resealed, of))
      const old = (await node.keys.list()).filter(({ role }) => role === 'opens').map(({ id }) => id)
      context.out.result({ ...done, droppable: old }, () => {
        context.out.line(
          `${done.added ? 'A new key was made. ' : ''}Everything is sealed under '${done.key}': ${done.resealed} records were sealed anew.`,
        )
        for (const id of old) context.out.line(`No longer needed: rootstream keys drop ${id}`)
        if (old.length > 0)
          context.out.line('Backups from before still need them: keep a copy for as long as you keep those.')
      })
    }),
  )

  const drop = keys.command('drop <id>').description('take a key that seals nothing any more out of the ring')
  runs<object, [string]>(drop, (context, _, id) =>
    withNode(context, async node => {
      await node.keys.drop(id)
      context.out.result({ dropped: id }, () => context.out.line(`The key '${id}' is out of the ring.`))
    }),
  )

  const generate = keys
    .command('generate')
    .description('print a new key, for a ring that is kept elsewhere')
    .addHelpText('after', '\nExample:\n  (umask 077; rootstream keys generate > keys)')
  runs(generate, async context => {
    const key = formatKey(newKey(systemClock.now()))
    context.out.result({ key }, () => context.out.line(key))
  })
}
