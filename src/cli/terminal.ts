import { fstatSync, statSync } from 'node:fs'

/**
 * Whether a descriptor of this process is a terminal. Only what may be one is worth node:tty, which takes milliseconds to load with
 * all that it needs.
 */
export function isTerminal(fd: number): boolean {
  return isLikeTerminal(fd) && process.getBuiltinModule('node:tty').isatty(fd)
}

function isLikeTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isCharacterDevice() && stat.rdev !== statSync('/dev/null', { throwIfNoEntry: false })?.rdev
  } catch {
    return false // closed by whoever started us
  }
}
