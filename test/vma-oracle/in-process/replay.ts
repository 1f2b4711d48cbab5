/** Replays a script on the memory manager itself, and prints what vmaoracle.c prints; no instruction is executed. */

import type { Policy } from '../scripts.js'
import { Layout } from './layout.js'
import { OracleMachine } from './machine.js'
import { Operation } from './operation.js'
import { operate } from './operations.js'
import { OracleProcess } from './process.js'

/** After so many operations the whole layout is looked at (vmaoracle -e). */
const WHOLE_EVERY = 64
/** Takes the answers; `end` when another process goes on, or nobody. */
export interface Printer {
  line(operation: number, text: string): void
  end(): void
}

class Replay {
  readonly #layout: Layout
  readonly #lines: readonly string[]
  readonly #printer: Printer
  #at = 0

  constructor(machine: OracleMachine, lines: readonly string[], printer: Printer) {
    this.#layout = new Layout(machine)
    this.#lines = lines
    this.#printer = printer
  }

  /** As far as the end, or the `exit` of a child. */
  run(process: OracleProcess): void {
    while (this.#at < this.#lines.length) {
      const words = this.#lines[this.#at++]!.split(' ')
      if (words[0] === 'fork') this.#fork(process)
      else if (words[0] === 'exit') {
        if (process.parent !== undefined) return
      } else this.#operate(process, words)
    }
  }

  #fork(process: OracleProcess): void {
    this.#printer.end()
    const child = process.fork()
    if (child === undefined) this.#skipChild()
    else this.#runChild(child)
    this.#printer.line(this.#at, `parent st=${child ? 0 : -1} ${this.#layout.whole(process)}`)
  }

  #runChild(child: OracleProcess): void {
    this.#printer.line(this.#at, `child ${this.#layout.whole(child)}`)
    this.run(child)
    child.exit()
    this.#printer.end()
  }

  #skipChild(): void {
    for (let depth = 1; depth > 0; this.#at++) {
      const line = this.#lines[this.#at]!
      depth += line === 'fork' ? 1 : line === 'exit' ? -1 : 0
    }
  }

  #operate(process: OracleProcess, words: readonly string[]): void {
    const operation = new Operation(process, words)
    let text = operate(operation)
    if (operation.touched.length > 0) text += ` ${this.#layout.around(process, operation.touched)}`
    if (this.#at % WHOLE_EVERY === 0) text += ` ${this.#layout.whole(process)}`
    this.#printer.line(this.#at, text)
  }
}

/** The answers to a script, which is about calls alone. Throws InvariantError when a layer is broken afterwards. */
export function replay(
  script: { readonly policy: Policy; readonly pages: number },
  text: string,
  printer: Printer,
  ownPages: number,
): void {
  const machine = new OracleMachine(script.policy, script.pages, ownPages)
  const process = OracleProcess.first(machine)
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  new Replay(machine, lines, printer).run(process)
  printer.end()
  process.exit()
  machine.check()
}
