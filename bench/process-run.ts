import { spawnSync } from 'node:child_process'
import type { Contender } from './benchmark.js'
import { ENVIRONMENT } from './environment.js'

/** What the program does in one run. */
const ROUNDS_OF_PROGRAM = 3

/**
 * One operation of mm_bench as a process of the host, native or under qemu. The program itself measures, by
 * CLOCK_PROCESS_CPUTIME_ID, which under qemu is that of qemu's process: starting up is not in it.
 */
export class ProcessRun implements Contender {
  readonly #command: readonly string[]
  #best = Number.POSITIVE_INFINITY

  constructor(command: readonly string[], operation: string, count: number) {
    this.#command = [...command, operation, String(count), String(ROUNDS_OF_PROGRAM)]
  }

  round(): void {
    const [file, ...args] = this.#command
    const { status, stdout, stderr } = spawnSync(file!, args, { encoding: 'utf8', env: ENVIRONMENT })
    const figures = stdout.trimEnd().split('\n').map(Number)
    const isGood =
      status === 0 && figures.length === ROUNDS_OF_PROGRAM && figures.every((figure) => figure > 0)
    if (!isGood) throw new Error(`${this.#command.join(' ')}: ${stdout}${stderr}`)
    this.#best = Math.min(this.#best, ...figures)
  }

  best(): number {
    return this.#best
  }
}
