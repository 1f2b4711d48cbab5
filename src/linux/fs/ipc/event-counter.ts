/** eventfd(2). */
import { EAGAIN, EFAULT, EINVAL } from '../../../base/errno.js'
import { Open, Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { makeAnonymousFile } from './anonymous-file.js'
import { channel } from './channel.js'
import type { EventSource } from './event-source.js'
import { objectOf } from './file-object.js'

const BYTES = 8
const MAX = 2n ** 64n - 1n

export interface EventCounter {
  readonly events: EventSource
  /** 0 to 2^64 - 2. */
  count: bigint
  /** EFD_SEMAPHORE: a read takes one. */
  readonly isSemaphore: boolean
}

const counterOf = (file: OpenFile) => objectOf<EventCounter>(file)

export const eventFile = channel({
  receive(vfs, file, sink) {
    const counter = counterOf(file)
    if (sink.left < BYTES) return -EINVAL
    if (counter.count === 0n) return -EAGAIN
    const taken = counter.isSemaphore ? 1n : counter.count
    counter.count -= taken
    vfs.events.notify(counter.events, Poll.out)
    return sink.put(new Uint8Array(BigUint64Array.of(taken).buffer)) === BYTES ? BYTES : -EFAULT
  },
  send(vfs, file, source) {
    const counter = counterOf(file)
    if (source.left < BYTES) return -EINVAL
    const bytes = new Uint8Array(BYTES)
    if (source.get(bytes) < BYTES) return -EFAULT
    const value = new DataView(bytes.buffer).getBigUint64(0, true)
    if (value === MAX) return -EINVAL
    if (MAX - counter.count <= value) return -EAGAIN
    counter.count += value
    vfs.events.notify(counter.events, Poll.in)
    return BYTES
  },
  poll(_vfs, file) {
    const { count } = counterOf(file)
    return (count > 0n ? Poll.in : 0) | (MAX - 1n > count ? Poll.out : 0)
  },
  events: (file) => counterOf(file).events,
  close: () => {},
})

/** A new one that starts at `initial`. */
export function makeEventFile(vfs: Vfs, initial: number, isSemaphore: boolean, flags: number): OpenFile {
  const file = makeAnonymousFile(vfs, 'eventfd', '[eventfd]', flags | Open.readWrite)
  file.object = { events: vfs.events.makeSource(), count: BigInt(initial), isSemaphore }
  return file
}
