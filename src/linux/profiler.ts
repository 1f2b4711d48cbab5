import { monotonic } from '../base/monotonic.js'
import { PAGE_SIZE, pageOf } from '../base/numbers.js'
import { Random } from '../base/random.js'
import { Exit } from '../hart/exit.js'
import type { Hart } from '../hart/hart.js'
import { HartField } from '../hart/hart-state.js'
import { CodeSymbols, type SymbolEnv } from './code-symbols.js'
import { CpuProfile, type ProfileNode } from './cpu-profile.js'
import type { Process } from './process.js'
import { syscallName } from './syscall-names.js'

/** Instructions from one look at the program to the next, on average. */
const INTERVAL = 50_000
/** After so many looks the distance doubles, so that the profile of a long run still fits into a viewer. */
const LOOKS = 50_000
const A7 = HartField.x + 17 * 8

export const TRANSLATED = '(translated)'
export const INTERPRETED = '(interpreted)'
/** Instructions that are executed in the time of an interpreted one, when they are translated (sqlite3: 2.7 ns to at most 1.1). */
const INTERPRETED_COST = 3
export const TRANSLATING = '(translating)'
export const WAITING = '(waiting)'
/** Names of processes that ended between two looks. */
const UNSEEN = '(between samples)'
const KERNEL = '(kernel)'
const FAULT_NAMES: ReadonlyMap<Exit, string> = new Map([
  [Exit.fetchFault, 'page fault: fetch'],
  [Exit.loadFault, 'page fault: load'],
  [Exit.storeFault, 'page fault: store'],
  [Exit.budget, 'scheduler'],
])

interface Pending {
  /** Milliseconds that the process ran and no look has told where. */
  guest: number
}

/** How a run's time was spent, as shares of 1. */
export interface ProfileSummary {
  readonly samples: number
  readonly milliseconds: number
  readonly translated: number
  readonly interpreted: number
  readonly translating: number
  readonly kernel: number
  readonly waiting: number
  /** Functions that were translated in this run, and such of earlier ones. */
  readonly regions: number
  readonly restored: number
}

/**
 * Where the host's time goes while guests run: process, file, function, and whether that was interpreted or translated; the
 * kernel's by system call. The hart is stopped after a number of instructions that varies, which the guest cannot notice, and what it
 * stands at gets the time since the last stop. That the profiler itself takes is left out.
 */
export class Profiler {
  readonly profile = new CpuProfile()
  readonly #hart: Hart
  readonly #symbols: CodeSymbols
  readonly #now: () => number
  readonly #random = new Random(1)
  readonly #processes = new Map<Process, Pending>()
  /** Milliseconds of nodes that no sample has told yet. */
  readonly #untold = new Map<ProfileNode, number>()
  #looks = 0
  #untilLook = INTERVAL
  /** When what is going on began: the kernel's work, which has a name, or a wait. */
  #since: number
  #work: ProfileNode
  #kernelMilliseconds = 0
  #interpreted = 0
  #instructions = 0

  /** `now`: milliseconds. */
  constructor(hart: Hart, env: SymbolEnv, now = () => monotonic()) {
    this.#hart = hart
    this.#symbols = new CodeSymbols(env)
    this.#now = now
    this.#since = now()
    this.#work = this.profile.child(this.profile.root, KERNEL)
  }

  /** `hart.run`, with looks at what the program does. */
  run(process: Process, budget: number): Exit {
    this.#endWork()
    let left = budget
    for (;;) {
      const before = this.#hart.instructions()
      const exit = this.#runPart(process, Math.min(left, this.#untilLook))
      const done = this.#hart.instructions() - before
      left -= done
      this.#untilLook -= done
      if (this.#untilLook <= 0) this.#look(process)
      if (exit !== Exit.budget || left <= 0) {
        this.#beginWork(process, exit)
        return exit
      }
    }
  }

  /** All threads wait for the host from now on, until the hart runs again. */
  wait(): void {
    this.#endWork()
    this.#work = this.profile.child(this.profile.root, WAITING)
  }

  /** Tells what has not been told yet. To be called once, at the end. */
  finish(): void {
    this.#endWork()
    for (const [process, pending] of this.#processes) this.#leave(this.#child(process, UNSEEN), pending.guest)
    this.#processes.clear()
    this.#tell()
  }

  summary(): ProfileSummary {
    const { profile } = this
    const { translation } = this.#hart
    const share = (microseconds: number) => (profile.time === 0 ? 0 : microseconds / profile.time)
    return {
      samples: profile.sampleCount,
      milliseconds: profile.time / 1000,
      translated: share(profile.timeOf(TRANSLATED)),
      interpreted: share(profile.timeOf(INTERPRETED)),
      translating: share(profile.timeOf(TRANSLATING)),
      kernel: share(this.#kernelMilliseconds * 1000),
      waiting: share(profile.timeOf(WAITING)),
      regions: translation?.regions ?? 0,
      restored: translation?.restored ?? 0,
    }
  }

  #runPart(process: Process, budget: number): Exit {
    const translating = this.#hart.translation?.milliseconds ?? 0
    const start = this.#now()
    const exit = this.#hart.run(budget)
    const spent = this.#now() - start
    const translated = (this.#hart.translation?.milliseconds ?? 0) - translating
    if (translated > 0) this.#leave(this.#child(process, TRANSLATING), translated)
    this.#pendingOf(process).guest += Math.max(0, spent - translated)
    return exit
  }

  #pendingOf(process: Process): Pending {
    let pending = this.#processes.get(process)
    if (pending === undefined) this.#processes.set(process, (pending = { guest: 0 }))
    return pending
  }

  /** What the process has run since the last look goes to where it is now. */
  #look(process: Process): void {
    const pending = this.#pendingOf(process)
    this.#tell()
    const place = this.#place(process)
    const microseconds = pending.guest * 1000
    const interpreted = microseconds * this.#interpretedShare()
    const add = (mode: string, spent: number) => this.profile.add(this.profile.child(place, mode), spent)
    if (interpreted > 0) add(INTERPRETED, interpreted)
    if (interpreted < microseconds) add(TRANSLATED, microseconds - interpreted)
    pending.guest = 0
    this.#looks++
    const interval = INTERVAL * 2 ** Math.floor(this.#looks / LOOKS)
    this.#untilLook = this.#random.between(interval / 2, (interval * 3) / 2)
  }

  /** The function that the process stands in. */
  #place(process: Process): ProfileNode {
    const { pc } = this.#hart
    const { path, address = pc, symbol } = this.#symbols.at(process, pc)
    const file = this.#child(process, path ?? '(no file)')
    const name = symbol?.name ?? `(no symbol) 0x${(pageOf(address) * PAGE_SIZE).toString(16)}`
    return this.profile.child(file, name, path)
  }

  /** Of the time since the last look: by how many of the instructions were interpreted, and what those take. */
  #interpretedShare(): number {
    const executed = this.#hart.instructions()
    const interpreted = this.#hart.translation?.interpreted ?? executed
    const cost = (interpreted - this.#interpreted) * INTERPRETED_COST
    const translated = executed - this.#instructions - (interpreted - this.#interpreted)
    this.#interpreted = interpreted
    this.#instructions = executed
    return cost + translated > 0 ? cost / (cost + translated) : 0
  }

  #child(process: Process, name: string): ProfileNode {
    const path = process.files.program?.path ?? ''
    const program = path.split('/').pop()
    const node = this.profile.child(this.profile.root, `${program} (${process.id})`, path)
    return this.profile.child(node, name)
  }

  #beginWork(process: Process, exit: Exit): void {
    const name = exit === Exit.ecall ? syscallName(this.#hart.low(A7)) : (FAULT_NAMES.get(exit) ?? 'trap')
    this.#work = this.profile.child(this.#child(process, KERNEL), name)
    this.#since = this.#now()
  }

  #endWork(): void {
    const spent = this.#now() - this.#since
    this.#leave(this.#work, spent)
    if (this.#work.name !== WAITING) this.#kernelMilliseconds += spent
    this.#since = this.#now()
  }

  #leave(node: ProfileNode, milliseconds: number): void {
    this.#untold.set(node, (this.#untold.get(node) ?? 0) + milliseconds)
  }

  #tell(): void {
    for (const [node, milliseconds] of this.#untold) this.profile.add(node, milliseconds * 1000)
    this.#untold.clear()
  }
}
