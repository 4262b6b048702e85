/** Who does something to an account. */

/** Options of a command that name the user who caused it, for the audit; none where nobody was signed in. */
export function byUser(userId: number | undefined): { readonly userId?: number } {
  return userId === undefined ? {} : { userId }
}
