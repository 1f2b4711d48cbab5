/** A file that is written at the end of a run. It is opened before the machine runs, because a run of an hour whose report cannot be written is lost. */
import { closeSync, fstatSync, ftruncateSync, openSync, writeFileSync } from 'node:fs'
import { EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'

export class ReportFile {
  readonly #option: string
  readonly #path: string
  readonly #descriptor: number

  /** Opens or makes the file that an option names, and empties it: it never holds what an older run wrote. Throws a Refusal. */
  constructor(option: string, path: string) {
    this.#option = option
    this.#path = path
    this.#descriptor = this.#orRefuse(() => {
      // Appended to, because it may be what the program writes to (/dev/stdout).
      const descriptor = openSync(path, 'a')
      if (fstatSync(descriptor).isFile()) ftruncateSync(descriptor)
      return descriptor
    })
  }

  write(text: string): void {
    this.#orRefuse(() => writeFileSync(this.#descriptor, text))
  }

  close(): void {
    closeSync(this.#descriptor)
  }

  #orRefuse<T>(operation: () => T): T {
    try {
      return operation()
    } catch (error) {
      throw new Refusal(EXIT_OWN_FAILURE, `${this.#option} ${this.#path}: ${(error as Error).message}`)
    }
  }
}
