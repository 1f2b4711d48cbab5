/** Each allocation of fork, vfork, clone and execve, and of calls that wait for others, fails once: a clean error, and nothing is left of the attempt. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { EFAULT, ENOMEM } from '../src/base/errno.js'
import { FaultInjector } from '../src/frame/fault-injector.js'
import { Hart } from '../src/hart/hart.js'
import { Files } from '../src/linux/fs/file-services.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import { Linux } from '../src/linux/linux.js'
import { mmInit } from '../src/mm.js'
import { guestProgram } from './setup/programs.js'

const programPath = (name: string) => guestProgram(name, 'musl') ?? guestProgram(name, 'glibc')
const isBuilt = ['storm', 'waits', 'traces'].every((name) => existsSync(programPath(name) ?? ''))
/** Before the first failure: what is made once (stack pages, slabs) is there. */
const WARM_UP = 3
const KILLED = 128

/** Runs a program until its call has got through with the nth allocation failing, for every n. */
class Trial {
  readonly #faults = new FaultInjector()
  readonly #mm = mmInit({ bytes: 16 * 2 ** 20, faults: this.#faults })
  readonly #linux: Linux
  readonly results: number[] = []
  #round = 0
  #left = 0
  #isArmed = false
  /** The last attempt met no failure any more. */
  isOver = false

  constructor(argv: readonly [program: string, ...rest: string[]], call: string) {
    const stdout = callbackOutput((chunk) => this.#hear(new TextDecoder().decode(chunk)))
    const files = { current: undefined as Files | undefined }
    this.#linux = new Linux({
      mm: this.#mm,
      hart: Hart.create(this.#mm, 0),
      host: { stdin: fixedInput(new Uint8Array()), stdout, stderr: stdout },
      files: (env) => (files.current = new Files(env)),
      trace: (line) => {
        if (line.startsWith(call)) this.#disarm()
      },
    })
    const program = `/bin/${argv[0]}`
    files.current!.addFile(program, readFileSync(programPath(argv[0])!), 0o755)
    expect(this.#linux.start(program, [...argv], [])).toBeUndefined()
    this.#linux.runSync({ instructions: 100_000_000 })
  }

  #hear(text: string): void {
    if (text === 'a') this.#arm()
    else this.#note(Number(text))
  }

  #arm(): void {
    this.#isArmed = true
    this.#round++
    this.#faults.reset()
    if (this.#round > WARM_UP) this.#faults.failAt(this.#round - WARM_UP)
  }

  #disarm(): void {
    if (!this.#isArmed) return
    this.#isArmed = false
    if (this.#round > WARM_UP && this.#faults.count < this.#round - WARM_UP) this.isOver = true
    this.#faults.reset()
  }

  /** What the call came to; its process or thread is gone again. */
  #note(result: number): void {
    if (this.#round > WARM_UP) this.results.push(result)
    this.#mm.check()
    this.#linux.check()
    this.#mm.slab.shrink()
    const left = this.#mm.buddy.freeFrames()
    if (this.#round >= WARM_UP) expect(left, `round ${this.#round}`).toBe(this.#left)
    this.#left = left
    if (this.isOver) this.#linux.stop()
  }
}

describe.skipIf(!isBuilt)('with a failing allocation', () => {
  test.each([
    ['fork', 'clone(', 15],
    ['vfork', 'clone(', 3],
    ['pidfd', 'clone(', 15],
    ['thread', 'clone(', 1],
    ['exec', 'execve(', 15],
    ['vector', 'prctl(', 1],
    ['map', 'prctl(', 1],
  ])('%s fails cleanly', (what, call, least) => {
    const { results, isOver } = new Trial(['storm', 'failing', what], call)
    expect(isOver).toBe(true)
    expect(results.length).toBeGreaterThan(least)
    expect(results.pop()).toBe(0)
    const allowed = what === 'exec' ? [0, ENOMEM, KILLED + 11] : [0, ENOMEM]
    expect(results.filter((result) => !allowed.includes(result))).toEqual([])
    expect(results.filter((result) => result !== 0).length).toBeGreaterThanOrEqual(least)
  })

  test.each([
    ['waitv', 'futex_waitv(', 1],
    // Up to where its reader is told: what fails then is an instruction of the reader's.
    ['fork', 'read(', 15],
    ['unmap', 'munmap(', 3],
    ['replace', 'mmap(', 3],
    ['remap', 'mremap(', 3],
    ['remove', 'madvise(', 0],
  ])('waiting in %s fails cleanly', (what, call, least) => {
    const { results, isOver } = new Trial(['waits', what], call)
    expect(isOver).toBe(true)
    expect(results.pop()).toBe(0)
    expect(results.filter((result) => result !== 0 && result !== ENOMEM)).toEqual([])
    expect(results.filter((result) => result === ENOMEM).length).toBeGreaterThanOrEqual(least)
  })

  test.each([
    ['seize', 'ptrace(', 1],
    ['follow', 'clone(', 15],
  ])('to %s fails cleanly', (what, call, least) => {
    const { results, isOver } = new Trial(['traces', what], call)
    expect(isOver).toBe(true)
    expect(results.pop()).toBe(0)
    expect(results.filter((result) => result !== 0 && result !== ENOMEM)).toEqual([])
    expect(results.filter((result) => result === ENOMEM).length).toBeGreaterThanOrEqual(least)
  })

  test('what is to be stored when its page has come is stored, or the call fails', () => {
    const { results, isOver } = new Trial(['waits', 'store'], 'pipe2(')
    expect(isOver).toBe(true)
    expect(results.pop()).toBe(0)
    expect(results).toContain(0)
    expect(results.filter((result) => result !== 0 && result !== EFAULT)).toEqual([])
  })
})
