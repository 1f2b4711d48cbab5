/** The file of --json: opened before the machine runs, because a run of an hour whose report cannot be written is lost. */
import fs from 'node:fs'
import type { ExitReport } from '../linux/report.js'
import { EXIT_OWN_FAILURE, Refusal } from './exit-codes.js'
import { reportJson } from './report.js'

export class ReportFile {
  readonly #path: string
  readonly #descriptor: number

  /** Opens or makes the file, and empties it: it never holds an older run's report. Throws a Refusal. */
  constructor(path: string) {
    this.#path = path
    this.#descriptor = this.#orRefuse(() => {
      // Appended to, because it may be what the program writes to (/dev/stdout).
      const descriptor = fs.openSync(path, 'a')
      if (fs.fstatSync(descriptor).isFile()) fs.ftruncateSync(descriptor)
      return descriptor
    })
  }

  write(report: ExitReport): void {
    this.#orRefuse(() => fs.writeFileSync(this.#descriptor, reportJson(report)))
  }

  close(): void {
    fs.closeSync(this.#descriptor)
  }

  #orRefuse<T>(operation: () => T): T {
    try {
      return operation()
    } catch (error) {
      throw new Refusal(EXIT_OWN_FAILURE, `--json ${this.#path}: ${(error as Error).message}`)
    }
  }
}
