/** What `examples/multi-instance.ts` prints, whatever its nodes meet over. */

export const MULTI_INSTANCE = [
  'together: a says 10 viewers, c says 11',
  '  a heard   10, 11',
  '  b heard   10, 11',
  '  c heard   10, 11',
  'c is cut off from the bus: a says 20, c says 21, b says 22',
  '  a heard   20, 22',
  '  b heard   20, 22',
  '  c heard   21',
  '  a reads   22 when one of this minute will do, 22 from the log',
  '  b reads   22 when one of this minute will do, 22 from the log',
  '  c reads   22 when one of this minute will do, 22 from the log',
  'healed: c catches up: 20 by a, 21 by c, 22 by b',
  "  c's copy of before the cut, brought forward: 22",
  'together again: b says 30',
  '  a heard   30',
  '  b heard   30',
  '  c heard   30',
  'equal    all states, and the read table',
]
