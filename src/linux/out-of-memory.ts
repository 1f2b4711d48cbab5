/** Who is ended when the machine has no memory left (mm/oom_kill.c of Linux 6.12). */
import { PAGE_SIZE, type Ptr } from '../base/numbers.js'
import { Reach } from '../frame/reach.js'
import type { MemoryManager } from '../mm.js'
import { UserMapper } from '../paging/user-mapper.js'
import { Counter, count } from '../state/counters.js'
import { readSetting, Setting } from '../state/settings.js'
import type { Linux } from './linux.js'
import { type Process, ProcessFlag } from './process.js'
import { realUserOf } from './signal-permission.js'

const KIB = PAGE_SIZE / 1024
/** oom_score_adj of a process that is never ended for its memory. */
const ADJUSTMENT_MIN = -1000
const ADJUSTMENT_MAX = 1000
const ALLOCATING = 'Out of memory (oom_kill_allocating_task)'

export class OutOfMemoryKiller {
  readonly #linux: Linux
  /** It uses the memory that it has right now, and is ended once it does not. */
  #condemned: Process | undefined
  /** vm.panic_on_oom: the machine stops when the call or fault is over. */
  #panics = false
  /** What Linux writes into its log of each that was ended. */
  readonly log: string[] = []

  constructor(linux: Linux) {
    this.#linux = linux
    linux.mm.outOfMemory = (user) => this.#relieve(user)
  }

  /**
   * Ends the worst process at once; true when that gives memory back. The one whose call or fault needs the memory, or whose
   * space is `user`, is ended by `settle`.
   */
  #relieve(user: Ptr | undefined): boolean {
    if (this.#condemned !== undefined || this.#panics) return false
    if (this.#isToPanic()) {
      this.#panics = true
      return false
    }
    const victim = this.#choose()
    if (victim === undefined) return false
    const space = victim.space.ptr
    if (space === user || space === this.#linux.scheduler.currentProcess?.space.ptr) {
      this.#condemned = victim
      return false
    }
    this.#kill(victim)
    return true
  }

  /** A call or a fault is over: whoever was condemned in it ends. */
  settle(): void {
    if (this.#panics) {
      this.#panic()
      return
    }
    const victim = this.#condemned
    if (victim === undefined) return
    this.#condemned = undefined
    if (!victim.isZombie) this.#kill(victim)
  }

  /** A fault found no memory. When nobody may be ended the machine cannot go on: Linux panics. */
  endOne(): void {
    if (this.#panics || this.#isToPanic()) {
      this.#panic()
      return
    }
    const victim = this.#condemned ?? this.#choose()
    this.#condemned = undefined
    if (victim !== undefined) {
      this.#kill(victim)
      return
    }
    this.log.push('Out of memory and no killable processes...')
    this.#linux.stop(true)
  }

  /** check_panic_on_oom. */
  #isToPanic(): boolean {
    return readSetting(this.#linux.mm.memory, Setting.panicOnOom) !== 0
  }

  #panic(): void {
    const isCompulsory = readSetting(this.#linux.mm.memory, Setting.panicOnOom) === 2
    const whose = isCompulsory ? 'compulsory' : 'system-wide'
    this.#panics = false
    this.log.push(`Kernel panic - not syncing: Out of memory: ${whose} panic_on_oom is enabled`)
    this.#linux.stop(true)
  }

  /** Who needs the memory, if that is who is to end (oom_kill_allocating_task), in a vfork too. */
  #allocating(): Process | undefined {
    if (readSetting(this.#linux.mm.memory, Setting.oomKillAllocatingTask) === 0) return undefined
    const process = this.#linux.currentProcess()
    return process === undefined || process.isZombie || isProtected(process) ? undefined : process
  }

  #choose(): Process | undefined {
    return this.#allocating() ?? this.#worst()
  }

  /** select_bad_process: the highest badness, of several the youngest. */
  #worst(): Process | undefined {
    let chosen: Process | undefined
    let points = Number.NEGATIVE_INFINITY
    for (const process of this.#linux.processes.values()) {
      if (process.isZombie || isExempt(process)) continue
      const badness = badnessOf(this.#linux.mm, process)
      if (badness < points) continue
      points = badness
      chosen = process
    }
    return chosen
  }

  /** Every process that has the memory ends with the victim, whatever its own adjustment is (__oom_kill_process). */
  #kill(victim: Process): void {
    const { mm } = this.#linux
    const { ptr } = victim.space
    this.log.push(`${this.#allocating() === victim ? ALLOCATING : 'Out of memory'}: ${lineOf(mm, victim)}`)
    count(mm.memory, Counter.outOfMemoryKill)
    const { reach } = mm.buddy
    mm.buddy.reach = Math.max(reach, Reach.half)
    for (const process of [...this.#linux.processes.values()]) {
      if (!process.isZombie && process.space.ptr === ptr) this.#linux.endForMemory(process)
    }
    mm.buddy.reach = reach
  }
}

function isExempt(process: Process): boolean {
  return isProtected(process) || isInVfork(process)
}

function isProtected({ outOfMemoryScore }: Process): boolean {
  return outOfMemoryScore === ADJUSTMENT_MIN
}

/** Its memory is its parent's, who waits (in_vfork). */
function isInVfork(process: Process): boolean {
  return process.hasFlag(ProcessFlag.vforked) && process.parent?.space.ptr === process.space.ptr
}

/** oom_badness: pages resident, page tables too, and so many thousandths of the machine's as the adjustment says. */
function badnessOf(mm: MemoryManager, process: Process): number {
  const total = mm.buddy.totalFrames()
  const adjustment = process.outOfMemoryScore * Math.floor(total / ADJUSTMENT_MAX)
  return process.space.counts.rssPages + tablePages(mm, process) + adjustment
}

/** /proc/PID/oom_score: the badness on a scale of 0 to 2000; 0 for who is never ended. */
export function scoreOf(mm: MemoryManager, process: Process): number {
  if (process.isZombie || isExempt(process)) return 0
  const share = Math.trunc((badnessOf(mm, process) * 1000) / mm.buddy.totalFrames())
  return Math.trunc(((1000 + share) * 2) / 3)
}

/** The root is not counted (mm_pgtables_bytes). */
function tablePages(mm: MemoryManager, { space }: Process): number {
  return new UserMapper(mm, space.root).tableFrames() - 1
}

/** As the kernel's log has it. */
function lineOf(mm: MemoryManager, process: Process): string {
  const { space, id, name, outOfMemoryScore } = process
  const sizes = [
    `total-vm:${space.counts.totalPages * KIB}kB`,
    `anon-rss:${space.counts.rssAnonymous * KIB}kB`,
    `file-rss:${space.counts.rssFile * KIB}kB`,
    `shmem-rss:${space.counts.rssShared * KIB}kB`,
    `UID:${realUserOf(process)} pgtables:${tablePages(mm, process) * KIB}kB oom_score_adj:${outOfMemoryScore}`,
  ]
  return `Killed process ${id} (${name}) ${sizes.join(', ')}`
}
