import { compileBatches, tuneEngine } from '../src/cli/engine.js'
import { bootLinux } from '../src/linux/boot.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import type { Contender } from './benchmark.js'
import { cpuNow } from './cpu-time.js'

const PATH = '/bin/mm_bench'
const MEMORY_BYTES = 512 * 2 ** 20
/** What the program does in one run. The first is not measured, and the next ones may find V8 still compiling. */
const ROUNDS_OF_PROGRAM = 6

/**
 * One operation of mm_bench as a program in Pagoda, trap and all: CPU time of this process from the line that the
 * program prints after one of its rounds to the next line. So booting and loading are not in it.
 */
export class GuestRun implements Contender {
  readonly #program: Uint8Array
  readonly #operation: string
  readonly #count: number
  #best = Number.POSITIVE_INFINITY
  #instructions = 0

  constructor(program: Uint8Array, operation: string, count: number) {
    tuneEngine() // as the command does, which runs guests
    compileBatches()
    this.#program = program
    this.#operation = operation
    this.#count = count
  }

  round(): void {
    const marks = this.#runProgram()
    for (let i = 1; i < marks.length; i++) {
      const [from, to] = [marks[i - 1]!, marks[i]!]
      this.#best = Math.min(this.#best, (to.nanoseconds - from.nanoseconds) / this.#count)
      this.#instructions = (to.instructions - from.instructions) / this.#count
    }
  }

  best(): number {
    return this.#best
  }

  /** Instructions that the guest executes for one operation. */
  instructions(): number {
    return this.#instructions
  }

  /** Runs it in a new machine; one mark for each line that it prints. */
  #runProgram(): Mark[] {
    const marks: Mark[] = []
    const stdout = callbackOutput(() => {
      marks.push({ nanoseconds: cpuNow(), instructions: linux.hart.instructions() })
    })
    const host = { stdin: fixedInput(new Uint8Array()), stdout, stderr: callbackOutput(() => {}) }
    const { linux, files } = bootLinux({ host, memory: MEMORY_BYTES, aslr: false })
    files.addFile(PATH, this.#program, 0o755)
    const args = [this.#operation, this.#count, ROUNDS_OF_PROGRAM].map(String)
    const problem = linux.start(PATH, [PATH, ...args], [])
    if (problem) throw new Error(`mm_bench cannot be run in Pagoda: ${problem.reason}`)
    const { exitCode } = linux.runSync()
    if (exitCode !== 0 || marks.length !== ROUNDS_OF_PROGRAM) {
      throw new Error(`mm_bench ${args.join(' ')} ended with ${exitCode} in Pagoda`)
    }
    return marks
  }
}

interface Mark {
  readonly nanoseconds: number
  readonly instructions: number
}

/** The same run as a rate: million instructions a second of CPU time. */
export class InstructionRate implements Contender {
  readonly #turns: Contender
  readonly #guest: GuestRun

  /** `turns` measures the same program's operation, in ns; the guest's run says how many instructions that is. */
  constructor(turns: Contender, guest: GuestRun) {
    this.#turns = turns
    this.#guest = guest
  }

  round(): void {
    this.#turns.round()
  }

  best(): number {
    return (1000 * this.#guest.instructions()) / this.#turns.best()
  }
}
