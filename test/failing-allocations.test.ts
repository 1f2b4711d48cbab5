/** Each allocation of fork, vfork, clone and execve fails once: a clean error, and nothing is left of the attempt. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ENOMEM } from '../src/base/errno.js'
import { FaultInjector } from '../src/frame/fault-injector.js'
import { Hart } from '../src/hart/hart.js'
import { Files } from '../src/linux/fs/file-services.js'
import { callbackOutput, fixedInput } from '../src/linux/host.js'
import { Linux } from '../src/linux/linux.js'
import { mmInit } from '../src/mm.js'
import { guestProgram } from './setup/programs.js'

const path = guestProgram('storm', 'musl') ?? guestProgram('storm', 'glibc')
/** Before the first failure: what is made once (stack pages, slabs) is there. */
const WARM_UP = 3
const KILLED = 128

/** Runs `storm failing WHAT` until its call has got through with the nth allocation failing, for every n. */
class Trial {
  readonly #faults = new FaultInjector()
  readonly #mm = mmInit({ bytes: 16 * 2 ** 20, faults: this.#faults })
  readonly #linux: Linux
  readonly results: number[] = []
  #round = 0
  #left = 0
  /** The last attempt met no failure any more. */
  isOver = false

  constructor(what: string, call: string) {
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
    files.current!.addFile('/bin/storm', readFileSync(path!), 0o755)
    expect(this.#linux.start('/bin/storm', ['storm', 'failing', what], [])).toBeUndefined()
    this.#linux.runSync({ instructions: 100_000_000 })
  }

  #hear(text: string): void {
    if (text === 'a') this.#arm()
    else this.#note(Number(text))
  }

  #arm(): void {
    this.#round++
    this.#faults.reset()
    if (this.#round > WARM_UP) this.#faults.failAt(this.#round - WARM_UP)
  }

  #disarm(): void {
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

describe.skipIf(path === undefined || !existsSync(path))('with a failing allocation', () => {
  test.each([
    ['fork', 'clone(', 15],
    ['vfork', 'clone(', 3],
    ['pidfd', 'clone(', 15],
    ['thread', 'clone(', 1],
    ['exec', 'execve(', 15],
  ])('%s fails cleanly', (what, call, least) => {
    const { results, isOver } = new Trial(what, call)
    expect(isOver).toBe(true)
    expect(results.length).toBeGreaterThan(least)
    expect(results.pop()).toBe(0)
    const allowed = what === 'exec' ? [0, ENOMEM, KILLED + 11] : [0, ENOMEM]
    expect(results.filter((result) => !allowed.includes(result))).toEqual([])
    expect(results.filter((result) => result !== 0).length).toBeGreaterThanOrEqual(least)
  })
})
