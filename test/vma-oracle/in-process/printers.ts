/** Answers as vmaoracle.c prints them: one by one, or (-c) as a hash of so many. */
import { hex, mix } from './layout.js'
import type { Printer } from './replay.js'

const FNV_PRIME = 0x01000193

export interface LinePrinter extends Printer {
  readonly lines: readonly string[]
}

export class PlainPrinter implements LinePrinter {
  readonly lines: string[] = []

  line(operation: number, text: string): void {
    this.lines.push(`${operation} ${text}`)
  }

  end(): void {}
}

export class CondensingPrinter implements LinePrinter {
  readonly lines: string[] = []
  readonly #most: number
  #hash = 0
  #count = 0
  #last = 0

  constructor(most: number) {
    this.#most = most
  }

  line(operation: number, text: string): void {
    this.#hash = mix(hashText(`${operation} ${text}\n`, this.#hash), operation)
    this.#last = operation
    if (++this.#count >= this.#most) this.end()
  }

  end(): void {
    if (this.#count > 0) this.lines.push(`${this.#last} ${hex(this.#hash)}`)
    this.#count = 0
    this.#hash = 0
  }
}

function hashText(text: string, start: number): number {
  let hash = start
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
  return hash
}
