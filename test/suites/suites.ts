import { posix } from './posix.js'
import { selftests } from './selftests.js'
import type { Suite } from './suite.js'

export const suites: readonly Suite[] = [selftests, posix]
