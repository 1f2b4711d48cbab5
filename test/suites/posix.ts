/**
 * The Open POSIX test suite (Debian's source package posixtestsuite): the interfaces that are about memory, processes, threads
 * and signal actions. Its tests are the C files of a folder per interface; the few shell scripts among them only say that
 * another test covers the assertion.
 */
import { existsSync, readdirSync } from 'node:fs'
import { programFolder } from './sources.js'
import type { Suite, SuiteTest } from './suite.js'

export const INTERFACES = [
  'mmap',
  'munmap',
  'mlock',
  'munlock',
  'mlockall',
  'munlockall',
  'shm_open',
  'shm_unlink',
  'fork',
  'pthread_create',
  'sigaction',
] as const

/** Tests that have no result which could be compared, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {}

/** 526 tests that differ in the signal alone: those of SIGABRT run always. */
const isHeavy = (source: string) => /^(sigaction|fork|pthread_create)\//.test(source)

function testOf(program: string): SuiteTest {
  const source = program.replaceAll('.', '/')
  return isHeavy(source) ? { name: source, source, heavy: true } : { name: source, source }
}

/** Those that have been built here. */
function builtTests(): SuiteTest[] {
  const folder = programFolder('posix')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .map(testOf)
    .filter(({ name }) => !(name in LEFT_OUT))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export const posix: Suite = {
  name: 'posix',
  root: 'malloc',
  tests: builtTests(),
  memory: 2 ** 29,
  skippedStatuses: [2, 4, 5],
}
