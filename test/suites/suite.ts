/** Test suites of others that run on the real kernel and in Pagoda: what they are made of, as data. */
import type { RootName } from '../software/roots.js'

export interface SuiteTest {
  /** `mm/mremap_test`: folder and program, with what tells it from other runs of the program. */
  readonly name: string
  /** Its source in the suite's source tree, without `.c`: `mm/mremap_test`. */
  readonly source: string
  readonly args?: readonly string[]
  /** A line of shell that runs before the program. */
  readonly before?: string
  /** Runs as user and group nobody; then nothing runs before. */
  readonly unprivileged?: true
  /** What it needs and Pagoda has not yet: it is skipped. */
  readonly missing?: string
  /** RAM that it needs, in bytes: unless told, that of its suite. */
  readonly memory?: number
  /** Takes Pagoda more than a second: only with PAGODA_FULL=1. */
  readonly heavy?: true
}

export type SuiteName = 'selftests' | 'posix'

export interface Suite {
  readonly name: SuiteName
  /** Debian's programs around it. */
  readonly root: RootName
  readonly tests: readonly SuiteTest[]
  /** RAM of both machines, in bytes. */
  readonly memory: number
  /** Exit codes that mean "cannot be tested here"; 0 is success, any other a failure. */
  readonly skippedStatuses: readonly number[]
}

export const programName = ({ source }: SuiteTest) => source.replaceAll('/', '.')

/** Where a test's program is in the guest. */
export const guestPath = (test: SuiteTest) => `/suite/${programName(test)}`

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

const NOBODY =
  'mkdir -p /etc; echo nobody:x:65534:65534::/:/bin/sh > /etc/passwd; echo nogroup:x:65534: > /etc/group'

/** What is executed in the guest: the program itself, or a shell that prepares the machine for it. */
export function commandOf(test: SuiteTest): string[] {
  const words = [guestPath(test), ...(test.args ?? [])]
  const program = test.unprivileged ? ['setuidgid', 'nobody', ...words] : words
  const before = test.unprivileged ? NOBODY : test.before
  if (before === undefined) return program
  return ['/usr/bin/busybox', 'sh', '-c', `${before}; exec ${program.map(quote).join(' ')}`]
}
