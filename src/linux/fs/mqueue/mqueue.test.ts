/** Message queues: what failing allocations leave, who is served first, and random calls against a model. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EAGAIN, ENOMEM, ETIMEDOUT } from '../../../base/errno.js'
import { Random } from '../../../base/random.js'
import { fuzzSteps, SEED } from '../../../base/testing.js'
import type { Thread } from '../../thread.js'
import { ERESTARTSYS, PARKED } from '../../wait.js'
import { Open } from '../flags.js'
import { FileMachine, OUT, type TestThread } from '../testing/file-machine.js'
import { bytesOf } from '../text.js'

const BYTES = 10_000
const PRIORITY = OUT + 2 * BYTES
const FLAGS = Open.create | Open.readWrite

let machine: FileMachine
beforeEach(() => {
  machine = new FileMachine()
  machine.populate()
})

function attributes(messages: number, bytes: number): Uint8Array {
  return new Uint8Array(BigInt64Array.of(0n, BigInt(messages), BigInt(bytes), 0n, 0n, 0n, 0n, 0n).buffer)
}

const open = (flags: number, messages = 2, bytes = BYTES) =>
  machine.call('mq_open', 'queue', FLAGS | flags, 0o600, attributes(messages, bytes))

const send = (fd: number, text: string, priority = 0) =>
  machine.begin('mq_timedsend', fd, bytesOf(text), text.length, priority, 0)

const receive = (fd: number) => machine.begin('mq_timedreceive', fd, OUT, BYTES, PRIORITY, 0)

/** What the last receive has stored. */
function received(length: number): string {
  return `${machine.view(PRIORITY, 4).getUint32(0, true)} ${String.fromCharCode(...machine.peek(OUT, length))}`
}

describe('a failing allocation', () => {
  /** Frees all that a machine does not need, and says what is left. */
  const left = () => {
    machine.mm.slab.shrink()
    return machine.mm.buddy.freeFrames()
  }
  const trials: readonly [string, number, (fd: number) => number][] = [
    ['mq_open', 2, () => open(0)],
    ['mq_timedsend', 2, (fd) => send(fd, 'x'.repeat(BYTES))()],
    ['mq_timedsend that waits', 1, (fd) => send(fd, 'x')()],
    ['mq_timedreceive that waits', 1, (fd) => receive(fd)()],
  ]

  test.each(trials)('of %s leaves nothing', (what, least, call) => {
    let failures = 0
    for (let nth = 1; ; nth++) {
      machine = new FileMachine()
      machine.populate()
      const fd = what === 'mq_open' ? -1 : open(0, 1)
      if (what === 'mq_timedsend that waits') expect(send(fd, 'full')()).toBe(0)
      const before = left()
      machine.faults.failFrom(nth)
      const result = call(fd)
      machine.faults.reset()
      machine.check()
      if (result !== -ENOMEM) {
        expect(result === PARKED || result >= 0).toBe(true)
        break
      }
      failures++
      expect(left()).toBe(before)
      expect(machine.files.vfs.queues.waiters.used).toBe(0)
    }
    expect(failures).toBeGreaterThanOrEqual(least)
  })
})

describe('a thread that waits', () => {
  test('is served before others that come later, unless they are more important', () => {
    const fd = open(0)
    const waiting = [receive(fd), receive(fd), receive(fd)]
    waiting[1]!.thread.nice = -5
    for (const run of waiting) expect(run()).toBe(PARKED)
    for (const text of ['a', 'b', 'c']) expect(send(fd, text)()).toBe(0)
    const got = [1, 0, 2].map((i) => received(waiting[i]!()))
    expect(got).toEqual(['0 a', '0 b', '0 c'])
    machine.check()
  })

  test('keeps its queue, whoever closes it, and gives it back', () => {
    const fd = open(0, 1)
    machine.call('mq_unlink', 'queue')
    const run = receive(fd)
    expect(run()).toBe(PARKED)
    machine.call('close', fd)
    expect(machine.files.vfs.queues.count).toBe(1)
    run.thread.hasSignal = true
    expect(run()).toBe(-ERESTARTSYS)
    expect(machine.files.vfs.queues.count).toBe(0)
    machine.check()
  })

  test('leaves with its message when it ends, or has waited long enough', () => {
    const fd = open(0, 1)
    expect(send(fd, 'full')()).toBe(0)
    const soon = new Uint8Array(BigInt64Array.of(2_000_000_000n, 0n).buffer)
    const [ended, late] = [send(fd, 'gone'), machine.begin('mq_timedsend', fd, bytesOf('late'), 4, 0, soon)]
    expect(ended()).toBe(PARKED)
    expect(late()).toBe(PARKED)
    machine.files.threadEnds(ended.thread as unknown as Thread)
    late.thread.deadline = 0
    expect(late()).toBe(-ETIMEDOUT)
    expect(receive(fd)()).toBe(4)
    machine.call('fcntl', fd, 4, Open.nonBlock)
    expect(receive(fd)()).toBe(-EAGAIN)
    machine.check()
  })
})

interface Waiting {
  readonly run: () => number
  readonly thread: TestThread
  /** A sender's message, or what a receiver is to get. */
  message: Message
  isServed: boolean
}

interface Message {
  readonly priority: number
  readonly text: string
}

/** What a queue should do, in plain lists. */
class Model {
  readonly messages: Message[] = []
  readonly receivers: Waiting[] = []
  readonly senders: Waiting[] = []

  insert(message: Message): void {
    const at = this.messages.findIndex(({ priority }) => priority < message.priority)
    this.messages.splice(at < 0 ? this.messages.length : at, 0, message)
  }

  all(): Waiting[] {
    return [...this.receivers, ...this.senders]
  }

  forget(one: Waiting): void {
    for (const list of [this.receivers, this.senders])
      if (list.includes(one)) list.splice(list.indexOf(one), 1)
  }
}

const ROOM = 3
const NONE: Message = { priority: -1, text: '' }

class Trial {
  readonly model = new Model()
  readonly #random: Random
  readonly #fd: number

  constructor(random: Random, fd: number) {
    this.#random = random
    this.#fd = fd
  }

  step(step: number): void {
    const what = this.#random.below(5)
    if (what < 2)
      this.#send({ priority: this.#random.below(4), text: `${step}`.padEnd(this.#random.below(9000), '.') })
    else if (what < 4) this.#receive()
    else this.#disturb()
    for (const one of this.model.all().filter(({ thread }) => thread.isWoken)) this.#finish(one)
  }

  #send(message: Message): void {
    const run = send(this.#fd, message.text, message.priority)
    const { messages, receivers, senders } = this.model
    const receiver = receivers.find(({ isServed }) => !isServed)
    const isFull = messages.length === ROOM
    expect(run()).toBe(isFull ? PARKED : 0)
    if (isFull) senders.push({ run, thread: run.thread, message, isServed: false })
    else if (receiver === undefined) this.model.insert(message)
    else Object.assign(receiver, { message, isServed: true })
  }

  #receive(): void {
    const run = receive(this.#fd)
    const { messages, receivers, senders } = this.model
    const message = messages.shift()
    const result = run()
    if (message === undefined) {
      expect(result).toBe(PARKED)
      receivers.push({ run, thread: run.thread, message: NONE, isServed: false })
      return
    }
    this.#compare(result, message)
    const sender = senders.find(({ isServed }) => !isServed)
    if (sender === undefined) return
    this.model.insert(sender.message)
    sender.isServed = true
  }

  /** A thread that waits is woken for nothing, gets a signal, or ends. */
  #disturb(): void {
    const all = this.model.all()
    if (all.length === 0) return
    const one = this.#random.pick(all)
    const how = this.#random.below(3)
    if (how === 0) expect(one.run()).toBe(PARKED)
    else if (how === 1) {
      one.thread.hasSignal = true
      expect(one.run()).toBe(-ERESTARTSYS)
    } else machine.files.threadEnds(one.thread as unknown as Thread)
    if (how > 0) this.model.forget(one)
  }

  /** Those that were woken, and no others, are through. */
  #finish(one: Waiting): void {
    expect(one.isServed).toBe(true)
    const isReceiver = this.model.receivers.includes(one)
    const result = one.run()
    if (isReceiver) this.#compare(result, one.message)
    else expect(result).toBe(0)
    this.model.forget(one)
  }

  #compare(result: number, { priority, text }: Message): void {
    expect(result).toBe(text.length)
    expect(received(result)).toBe(`${priority} ${text}`)
  }
}

test('random calls agree with a model', () => {
  const steps = fuzzSteps(1500)
  const fd = open(0, ROOM)
  const trial = new Trial(new Random(SEED), fd)
  for (let step = 0; step < steps; step++) {
    try {
      trial.step(step)
    } catch (error) {
      throw new Error(`PAGODA_SEED=${SEED} step ${step}`, { cause: error })
    }
    expect(
      trial.model.all().some(({ isServed }) => isServed),
      `seed ${SEED} step ${step}`,
    ).toBe(false)
    if (step % 20 === 0) machine.check()
  }
  machine.call('close', fd)
  machine.call('mq_unlink', 'queue')
  for (const { thread } of trial.model.all()) machine.files.threadEnds(thread as unknown as Thread)
  expect(machine.files.vfs.queues.count).toBe(0)
  machine.check()
})
