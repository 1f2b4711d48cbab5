/**
 * The Open POSIX test suite (Debian's source package posixtestsuite): the interfaces that are about memory, processes, threads,
 * signal actions and message queues. Its tests are the C files of a folder per interface; the few shell scripts among them only say that
 * another test covers the assertion.
 */
import { existsSync, readdirSync } from 'node:fs'
import { programFolder } from './sources.js'
import type { Suite, SuiteTest } from './suite.js'

/** What Pagoda has not, by the tests that fail for it. */
const MISSING: Readonly<Record<string, string>> = {}

/**
 * Of sigaction there are 526, most of which differ in the signal alone; those of fork, pthread_create and message queues pass time;
 * shared memory is asked for 50 times.
 */
const isHeavy = (name: string) => /^(sigaction|fork|pthread_create|shm_open|shm_unlink|mq_\w+)\//.test(name)

function testOf(program: string): SuiteTest {
  const name = program.replaceAll('.', '/')
  return {
    name,
    source: name,
    ...(name in MISSING ? { missing: MISSING[name]! } : {}),
    ...(isHeavy(name) ? { heavy: true } : {}),
  }
}

/** Those that have been built here. */
function builtTests(): SuiteTest[] {
  const folder = programFolder('posix')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .map(testOf)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export const posix: Suite = {
  name: 'posix',
  root: 'malloc',
  tests: builtTests(),
  memory: 2 ** 29,
  skippedStatuses: [2, 4, 5],
}
