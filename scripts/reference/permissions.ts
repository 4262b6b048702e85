/** The page of the permissions: what each role may do, and what each route for users asks for. */
import { needsFreshFactor, PERMISSIONS, type Permission, permits } from '../../src/accounts/permissions.ts'
import { USER_ROUTES } from '../../src/http/route-permissions.ts'
import { ROLES } from '../../src/machines/user/events.ts'
import { code, GENERATED, table } from './markdown.ts'

export function permissionsPage(): string {
  const permissions = Object.entries(PERMISSIONS) as [Permission, (typeof PERMISSIONS)[Permission]][]
  return `# Permissions

${GENERATED} Source: \`src/accounts/permissions.ts\`, \`src/http/route-permissions.ts\`.

A user has the permissions of all their roles. \`fresh\` marks those that also ask for a second factor which was shown a moment ago (\`ROOTSTREAM_STEP_UP\`): without it the answer is \`factor_required\`. A program that embeds a node asks by \`node.accounts.authorize(session, permission)\`.

${table(
  ['permission', ...ROLES, 'fresh', 'meaning'],
  permissions.map(([permission, { meaning }]) => [
    code(permission),
    ...ROLES.map(role => (permits([role], permission) ? 'yes' : '')),
    needsFreshFactor(permission) ? 'yes' : '',
    meaning,
  ]),
)}

## Routes for users

Each is held to its row. \`anyone\` asks for no session, \`session\` for any valid one.

${table(
  ['route', 'asks for'],
  Object.entries(USER_ROUTES).map(([route, access]) => [code(route), code(access)]),
)}
`
}
