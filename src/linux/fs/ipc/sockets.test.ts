/** Unix sockets: who waits and is woken, files on their way, and what is left when an allocation fails. */
import { beforeEach, describe, expect, test } from 'vitest'
import { EAFNOSUPPORT, EAGAIN, ECONNRESET, ENOBUFS, EPIPE } from '../../../base/errno.js'
import { Random } from '../../../base/random.js'
import { SEED } from '../../../base/testing.js'
import { Signal } from '../../signal-numbers.js'
import { PARKED } from '../../wait.js'
import { Open } from '../flags.js'
import { FileMachine, OUT } from '../testing/file-machine.js'
import { bytesOf } from '../text.js'
import { objectOf } from './file-object.js'
import { SocketType, type UnixSocket } from './unix-socket.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 800)
const UNIX = 1
/** A place in the program's memory for headers, beyond what is received. */
const HEADER = OUT + 0x40000

let machine: FileMachine
beforeEach(() => {
  machine = new FileMachine()
  machine.populate()
})

function pair(type: number, flags = 0): [number, number] {
  expect(machine.call('socketpair', UNIX, type | flags, 0, OUT)).toBe(0)
  const view = machine.view(OUT, 8)
  return [view.getInt32(0, true), view.getInt32(4, true)]
}

function address(name: string): Uint8Array {
  const bytes = new Uint8Array(2 + name.length + (name.startsWith('\0') ? 0 : 1))
  bytes[0] = UNIX
  bytes.set(bytesOf(name), 2)
  return bytes
}

function listener(name: string, backlog: number): number {
  const fd = machine.call('socket', UNIX, SocketType.stream, 0)
  expect(machine.call('bind', fd, address(name), address(name).length)).toBe(0)
  expect(machine.call('listen', fd, backlog)).toBe(0)
  return fd
}

const socketOf = (fd: number) => objectOf<UnixSocket>(machine.user.files.get(fd)!)
const write = (fd: number, text: string) => machine.call('write', fd, bytesOf(text), text.length)
const read = (fd: number) => {
  const count = machine.call('read', fd, OUT, 0x10000)
  return count < 0 ? count : String.fromCharCode(...machine.peek(OUT, count))
}

/** sendmsg of a byte with files. */
function sendFiles(fd: number, files: readonly number[]): number {
  const control = new Uint8Array(16 + files.length * 4)
  new DataView(control.buffer).setUint32(0, control.length, true)
  control[8] = 1
  control[12] = 1
  control.set(new Uint8Array(Int32Array.from(files).buffer), 16)
  const header = new DataView(new ArrayBuffer(256))
  header.setUint32(16, HEADER + 64, true)
  header.setUint32(24, 1, true)
  header.setUint32(32, HEADER + 80, true)
  header.setUint32(40, control.length, true)
  header.setUint32(64, HEADER, true)
  header.setUint32(72, 1, true)
  const bytes = new Uint8Array(header.buffer)
  bytes.set(control, 80)
  machine.poke(HEADER, bytes)
  return machine.call('sendmsg', fd, HEADER, 0)
}

/** All that the machine has given out for what is in sockets and pipes. */
function inUse(): number {
  const slabs = machine.mm.slab.stats().filter(({ name }) => name.startsWith('kmalloc-'))
  return slabs.reduce((sum, { objects }) => sum + objects, 0)
}

/** Frames that are free, or that a cache keeps for its next objects. */
function unused(): number {
  const kept = machine.mm.slab.stats().map(({ slabs, framesPerSlab }) => slabs * framesPerSlab)
  return machine.mm.buddy.freeFrames() + kept.reduce((sum, frames) => sum + frames, 0)
}

test('families that are not there', () => {
  expect(machine.call('socket', 2, SocketType.stream, 0)).toBe(-EAFNOSUPPORT)
  expect(machine.call('socket', 16, 3, 0)).toBe(-EAFNOSUPPORT)
})

describe('waiting', () => {
  test('a receiver is woken by what is sent, a sender by what is read', () => {
    const [a, b] = pair(SocketType.stream)
    const receiving = machine.begin('read', a, OUT, 10)
    expect(receiving()).toBe(PARKED)
    write(b, 'x')
    expect(machine.woken).toContain(socketOf(a).events.mask)
    expect(receiving()).toBe(1)
    const length = 0x40000
    const sending = machine.begin('write', b, OUT, length)
    expect(sending()).toBe(PARKED)
    machine.woken.length = 0
    let received = 0
    let sent = 0
    for (let i = 0; received < length; i++) {
      expect(i).toBeLessThan(1000)
      const result = machine.call('recvfrom', a, OUT, 5000, 0x40, 0, 0)
      if (result === -EAGAIN) sent = sending()
      else received += result
    }
    expect(machine.woken).toContain(socketOf(b).events.mask)
    expect(sent).toBe(length)
    expect(socketOf(b).sent).toBe(0)
  })

  test('accept waits for a connection, connect for a place in the backlog', () => {
    const fd = listener('\0server', 0)
    const accepting = machine.begin('accept', fd, 0, 0)
    expect(accepting()).toBe(PARKED)
    const [one, two] = [0, 1].map(() => machine.call('socket', UNIX, SocketType.stream, 0)) as [
      number,
      number,
    ]
    const where = address('\0server')
    expect(machine.call('connect', one, where, where.length)).toBe(0)
    const connecting = machine.begin('connect', two, where, where.length)
    expect(connecting()).toBe(PARKED)
    const accepted = accepting()
    expect(accepted).toBeGreaterThan(two)
    expect(connecting()).toBe(0)
    write(two, 'second')
    const other = machine.call('accept', fd, 0, 0)
    expect(read(other)).toBe('second')
  })

  test('MSG_WAITALL goes on where it was', () => {
    const [a, b] = pair(SocketType.stream)
    const receiving = machine.begin('recvfrom', a, OUT, 6, 0x100, 0, 0)
    expect(receiving()).toBe(PARKED)
    write(b, 'abc')
    expect(receiving()).toBe(PARKED)
    write(b, 'defg')
    expect(receiving()).toBe(6)
    expect(String.fromCharCode(...machine.peek(OUT, 6))).toBe('abcdef')
    expect(read(a)).toBe('g')
  })

  test('SO_RCVTIMEO ends a wait', () => {
    const [a] = pair(SocketType.stream)
    const time = new Uint8Array(BigInt64Array.of(1n, 500_000n).buffer)
    expect(machine.call('setsockopt', a, 1, 20, time, 16)).toBe(0)
    expect(machine.call('read', a, OUT, 1)).toBe(PARKED)
    const { deadline } = machine.parked.at(-1)!
    expect(deadline).toBe(Number.POSITIVE_INFINITY)
    expect(machine.call('recvfrom', a, OUT, 1, 0, 0, 0)).toBe(PARKED)
    expect(machine.parked.at(-1)!.deadline - machine.files.vfs.env.clock.now()).toBeGreaterThan(1_400_000_000)
  })
})

describe('ends', () => {
  test('SIGPIPE for a stream, not for packets', () => {
    const [a, b] = pair(SocketType.stream)
    machine.call('close', b)
    expect(write(a, 'x')).toBe(-EPIPE)
    expect(machine.signals).toEqual([Signal.PIPE])
    const [c, d] = pair(SocketType.sequenced)
    machine.call('close', d)
    expect(write(c, 'x')).toBe(-EPIPE)
    expect(machine.signals).toEqual([Signal.PIPE])
  })

  test('what was not read resets the other end, once', () => {
    const [a, b] = pair(SocketType.stream)
    write(a, 'lost')
    machine.call('close', b)
    expect(read(a)).toBe(-ECONNRESET)
    expect(read(a)).toBe('')
    expect(inUse()).toBe(0)
  })

  test('a listener that goes resets those whom nobody accepted', () => {
    const fd = listener('/tmp/socket', 5)
    const client = machine.call('socket', UNIX, SocketType.stream, 0)
    const where = address('/tmp/socket')
    expect(machine.call('connect', client, where, where.length)).toBe(0)
    write(client, 'unheard')
    machine.call('close', fd)
    expect(read(client)).toBe(-ECONNRESET)
    expect(inUse()).toBe(0)
  })
})

describe('files on their way', () => {
  test('live as long as the message, and go with it', () => {
    const [a, b] = pair(SocketType.stream)
    expect(machine.call('pipe2', OUT, 0)).toBe(0)
    const [reader, writer] = [machine.view(OUT, 8).getInt32(0, true), machine.view(OUT, 8).getInt32(4, true)]
    expect(sendFiles(a, [writer])).toBe(1)
    machine.call('close', writer)
    machine.call('fcntl', reader, 4, Open.nonBlock)
    expect(machine.call('read', reader, OUT, 1)).toBe(-EAGAIN)
    expect(read(b)).toHaveLength(1)
    expect(machine.call('read', reader, OUT, 1)).toBe(0)
  })

  test.each([
    ['itself', (a: number, b: number) => sendFiles(a, [b])],
    ['each other', (a: number, b: number) => sendFiles(a, [b]) && sendFiles(b, [a])],
  ])('sockets that only hold %s are given back', (_, send) => {
    const { state } = machine.files.vfs
    const opens = () => state.hidden.inode.opens
    const before = opens()
    const [a, b] = pair(SocketType.stream)
    const sockets = [socketOf(a), socketOf(b)]
    send(a, b)
    machine.call('close', a)
    machine.call('close', b)
    expect(sockets.map(({ isClosed }) => isClosed)).toEqual([true, true])
    expect(inUse()).toBe(0)
    expect(opens()).toBe(before)
  })
})

test('every allocation that fails: ENOBUFS or a part, and nothing is left', () => {
  const [a, b] = pair(SocketType.stream, Open.nonBlock)
  const [c, d] = pair(SocketType.datagram, Open.nonBlock)
  const frames = unused()
  for (let n = 1; n < 40; n++) {
    for (const [from, to] of [
      [a, b],
      [c, d],
    ] as const) {
      machine.faults.failAt(n)
      const sent = machine.call('write', from, OUT, 100_000)
      machine.faults.reset()
      expect(sent === -ENOBUFS || (sent > 0 && sent <= 100_000)).toBe(true)
      let got = 0
      while (got < sent) got += machine.call('read', to, OUT, 0x30000)
      expect(got).toBe(Math.max(0, sent))
    }
  }
  expect(inUse()).toBe(0)
  expect(unused()).toBe(frames)
  machine.check()
})

test.each([
  ['stream', SocketType.stream],
  ['datagram', SocketType.datagram],
  ['sequenced', SocketType.sequenced],
])(`random traffic on %s sockets agrees with a model, seed ${SEED}`, (_, type) => {
  const random = new Random(SEED)
  const [a, b] = pair(type, Open.nonBlock)
  const model: number[][] = []
  for (let step = 0; step < STEPS; step++) {
    const length = random.below(random.chance(0.1) ? 20_000 : 900)
    if (random.chance(0.5)) {
      const bytes = Uint8Array.from({ length }, () => random.below(256))
      const sent = machine.call('write', a, bytes, length)
      if (sent === -EAGAIN) expect(socketOf(a).sent).toBeGreaterThan(100_000)
      else if (sent > 0 || type !== SocketType.stream) model.push([...bytes.subarray(0, sent)])
      if (type !== SocketType.stream && sent !== -EAGAIN) expect(sent).toBe(length)
      continue
    }
    const expected = type === SocketType.stream ? takeStream(model, length) : model.shift()?.slice(0, length)
    const got = machine.call('read', b, OUT, length)
    if (expected === undefined) expect(got).toBe(-EAGAIN)
    else {
      expect(got).toBe(expected.length)
      expect(Buffer.compare(machine.peek(OUT, got), Uint8Array.from(expected))).toBe(0)
    }
  }
  machine.call('close', a)
  machine.call('close', b)
  expect(inUse()).toBe(0)
  machine.check()
})

/** Bytes from the front of what was written; `undefined` when there are none and some are wanted. */
function takeStream(model: number[][], length: number): number[] | undefined {
  const taken: number[] = []
  while (taken.length < length && model.length > 0) {
    taken.push(...model[0]!.splice(0, length - taken.length))
    if (model[0]!.length === 0) model.shift()
  }
  return taken.length === 0 && length > 0 ? undefined : taken
}
