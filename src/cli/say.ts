import { writeSync } from 'node:fs'

/**
 * Writes to a descriptor of ours at once: nothing is lost at exit, what the guest writes to the same place stays in order, and
 * a reader that has gone away is no error.
 */
export function say(text: string, descriptor = 2): void {
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return // nobody reads it any more
    }
  }
}
