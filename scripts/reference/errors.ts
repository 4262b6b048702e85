/** The page of the errors: the error table, and the reasons of refusals. */
import { ERRORS } from '../../src/core/errors.ts'
import { REFUSALS } from '../../src/http/problem.ts'
import { code, GENERATED, table } from './markdown.ts'

export function errorsPage(): string {
  return `# Errors and refusals

${GENERATED} Source: \`src/core/errors.ts\`, \`src/http/problem.ts\`.

## Errors

Something that was foreseen went wrong. \`again\` marks those after which the same request may succeed, under the same command id where it had one. Over HTTP the body is \`application/problem+json\` with the code as \`code\`; the command line ends with the exit code, and with \`--json\` prints \`{"error": {"code", "message", "retryable", "details"}}\` on standard error.

${table(
  ['code', 'HTTP', 'exit', 'again', 'meaning'],
  Object.entries(ERRORS).map(([name, { status, exitCode, retryable, meaning }]) => [
    code(name),
    String(status),
    String(exitCode),
    retryable ? 'yes' : '',
    meaning,
  ]),
)}

Exit code 0 is success; 70 without a code is a mistake of the runtime.

## Refusals

A command was understood and not taken. Nothing was written, and its command id is not spent. A refusal is a value: \`{ok: false, reason, state, version, allowed}\`, over HTTP a problem with the same fields, on the command line exit code 5.

${table(
  ['reason', 'HTTP', 'meaning'],
  Object.entries(REFUSALS).map(([name, { status, title }]) => [code(name), String(status), title]),
)}
`
}
