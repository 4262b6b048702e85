/** What a transition table is made of. */

/** Refused: nothing is written. */
export const no = null

/** The state each event leads to from each state; the compiler demands a cell for each event in each state. */
export type Table<States extends string, Events> = Readonly<
  Record<States, Readonly<Record<keyof Events, States | null>>>
>
