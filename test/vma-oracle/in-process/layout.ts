/** What of the window is mapped, hashed as vmaoracle.c does it. */
import { NULL, type Ptr, type Vpn } from '../../../src/base/numbers.js'
import { VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from '../../../src/space/vm-flags.js'
import { Vma } from '../../../src/space/vma.js'
import type { OracleMachine } from './machine.js'
import type { OracleProcess } from './process.js'

const OTHER_FILE = 1
const SEGMENT = 16
const SCRIPT_FILE = 32

export function mix(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x9e3779b1)
  return h ^ (h >>> 15)
}

export const hex = (hash: number) => (hash >>> 0).toString(16).padStart(8, '0')

/** A range that an operation changed, in pages of the window. */
export type Touched = readonly [page: number, pages: number]

export class Layout {
  readonly #machine: OracleMachine
  readonly #vma: Vma
  #hash = 0
  #count = 0
  #text = ''

  constructor(machine: OracleMachine) {
    this.#machine = machine
    this.#vma = new Vma(machine.mm.memory, NULL)
  }

  /** Of the mappings that the ranges meet, and those beside them. */
  around(process: OracleProcess, touched: readonly Touched[]): string {
    this.#hash = 0
    for (const [page, pages] of touched) this.#see(process, page - 1, page + pages + 1)
    return hex(this.#hash)
  }

  /** Of the whole window, each mapping as text in front. */
  dump(process: OracleProcess): string {
    this.#text = ''
    const hash = this.whole(process)
    return this.#text + hash
  }

  /** Of the whole window, with how many there are. */
  whole(process: OracleProcess): string {
    this.#hash = 0
    this.#count = 0
    this.#see(process, 0, this.#machine.pages)
    return `n=${this.#count} ${hex(this.#hash)}`
  }

  #see(process: OracleProcess, from: number, to: number): void {
    const { mm, base, pages } = this.#machine
    const last = base + Math.min(to, pages)
    for (let at = base + Math.max(from, 0); at < last; at = this.#vma.end) {
      const found = mm.vmas.find(process.space, at as Vpn)
      if (found === NULL || this.#vma.at(found).start >= last) return
      this.#add(process)
    }
  }

  #add(process: OracleProcess): void {
    const { base, pages } = this.#machine
    const { start, end, flags, object, pageOffset } = this.#vma
    const code = object === NULL ? 0 : this.#codeOf(process, object)
    const bits = [VM_READ, VM_WRITE, VM_EXEC, VM_MAYSHARE]
    const rights = bits.reduce((all, bit, i) => ((flags & bit) !== 0 ? all | (1 << i) : all), 0)
    const [from, to] = [Math.max(0, start - base), Math.min(end - base, pages)]
    const h = mix(mix(this.#hash, from), to)
    this.#hash = mix(mix(h, rights | (code << 4)), code <= OTHER_FILE ? 0 : pageOffset)
    this.#count++
    this.#text += `${from}-${to}:${rightsText(rights)}${whatText(code, pageOffset)} `
  }

  #codeOf({ files, own }: OracleProcess, object: Ptr): number {
    const id = this.#machine.segments.idOf(object)
    const [segment, file] = [id < 0 ? -1 : own.numberOf(id), id < 0 ? files.numberOf(object) : -1]
    return segment >= 0 ? SEGMENT + segment : file >= 0 ? SCRIPT_FILE + file : OTHER_FILE
  }
}

const rightsText = (rights: number) =>
  [...'rwx'].map((letter, i) => ((rights >> i) & 1 ? letter : '-')).join('') + (rights & 8 ? 's' : 'p')

function whatText(code: number, offset: number): string {
  if (code <= OTHER_FILE) return code === 0 ? '' : ':file'
  return code >= SCRIPT_FILE ? `:f${code - SCRIPT_FILE}+${offset}` : `:m${code - SEGMENT}+${offset}`
}
