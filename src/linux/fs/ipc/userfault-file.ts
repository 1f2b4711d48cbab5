/** userfaultfd(2): a file from which a program reads which pages are missing, and what happens to its memory. */
import { EAGAIN, EFAULT, EINVAL } from '../../../base/errno.js'
import { NULL, PAGE_SIZE, type Ptr } from '../../../base/numbers.js'
import type { FaultMessage, SpaceChange } from '../../../space/userfault-message.js'
import { UserfaultFeature } from '../../../space/userfaults.js'
import { freeNumber, installFor } from '../calls/support.js'
import { Open, Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { makeAnonymousFile } from './anonymous-file.js'
import type { ByteSink } from './byte-flow.js'
import { channel } from './channel.js'
import type { EventSource } from './event-source.js'
import { objectOf } from './file-object.js'

export interface UserfaultFile {
  readonly events: EventSource
  readonly context: Ptr
}

export const userfaultOf = (file: OpenFile) => objectOf<UserfaultFile>(file)

const MESSAGE_BYTES = 32
/** UFFD_EVENT_*. */
const Event = { fault: 0x12, fork: 0x13, remap: 0x14, remove: 0x15, unmap: 0x16 } as const
const FLAG_WRITE = 1
const FLAG_MINOR = 4
/** UFFD_API, and all requests there are, on a file and on a range. */
const API = 0xaa
const ALL_REQUESTS = '80000000000001ff'

export const userfaultFile = channel({
  receive(vfs, file, sink) {
    if (!isInitialized(vfs, file)) return -EINVAL
    let done = 0
    for (;;) {
      const result = sink.left < MESSAGE_BYTES ? -EINVAL : receiveOne(vfs, file, sink)
      if (result < 0) return done > 0 ? done : result
      done += result
    }
  },
  send: () => -EINVAL,
  poll(vfs, file) {
    if (!isInitialized(vfs, file) || (file.flags & Open.nonBlock) === 0) return Poll.error
    return vfs.env.userfaults.queues.first(userfaultOf(file).context) === NULL ? 0 : Poll.in
  },
  events: (file) => userfaultOf(file).events,
  information(file, vfs) {
    const { context } = userfaultOf(file)
    const { queues } = vfs.env.userfaults
    const pending = queues.of(context, 'pending').length
    const total = pending + queues.of(context, 'read').length
    const features = vfs.env.mm.userfaults.features(context).toString(16)
    const counts = `pending:\t${pending}\ntotal:\t${total}\n`
    return `${counts}API:\t${API.toString(16)}:${features}:${ALL_REQUESTS}\n`
  },
  close(vfs, file) {
    const { context } = userfaultOf(file)
    vfs.state.userfaultFiles.delete(context)
    vfs.env.userfaults.close(context)
  },
})

/** UFFDIO_API has been called. */
export function isInitialized(vfs: Vfs, file: OpenFile): boolean {
  return vfs.env.mm.userfaults.has(userfaultOf(file).context, UserfaultFeature.initialized)
}

/** A file for a context. `flags`: O_NONBLOCK. */
export function makeUserfaultFile(vfs: Vfs, context: Ptr, flags: number): OpenFile {
  const file = makeAnonymousFile(vfs, 'userfaultfd', '[userfaultfd]', (flags & Open.nonBlock) | Open.readOnly)
  const object: UserfaultFile = { events: vfs.events.makeSource(), context }
  vfs.env.userfaults.open(context)
  file.object = object
  vfs.state.userfaultFiles.set(context, object)
  return file
}

/** Something is to be read from the file of a context. */
export function tellUserfaultFile(vfs: Vfs, context: Ptr): void {
  const file = vfs.state.userfaultFiles.get(context)
  if (file !== undefined) vfs.events.notify(file.events, Poll.in)
}

/** -EAGAIN, -EFAULT (the message is lost, as in Linux), or what giving a child's file a number says. */
function receiveOne(vfs: Vfs, file: OpenFile, sink: ByteSink): number {
  const { userfaults, mm } = vfs.env
  const waiting = userfaults.queues.first(userfaultOf(file).context)
  if (waiting === NULL) return -EAGAIN
  const message = mm.userfaults.messages.read(waiting)
  const number = message.kind === 'fork' ? openChild(vfs, message.child) : 0
  if (number < 0) return number
  userfaults.wasRead(waiting)
  return sink.put(encode(message, number)) === MESSAGE_BYTES ? MESSAGE_BYTES : -EFAULT
}

/** The reader gets a file for the memory of a child. */
function openChild(vfs: Vfs, context: Ptr): number {
  const reader = vfs.env.currentProcess()!
  const number = freeNumber(reader)
  if (number < 0) return number
  const flags = vfs.env.mm.userfaults.flags(context)
  const file = makeUserfaultFile(vfs, context, flags)
  return installFor(reader, file, (flags & Open.closeOnExec) !== 0)
}

/** struct uffd_msg. */
function encode(message: FaultMessage | SpaceChange, number: number): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, Event[message.kind])
  const word = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true)
  if (message.kind === 'fault') {
    word(8, (message.isWrite ? FLAG_WRITE : 0) | (message.isMinor ? FLAG_MINOR : 0))
    word(16, message.address)
    view.setUint32(24, message.threadId, true)
  } else if (message.kind === 'fork') {
    view.setUint32(8, number, true)
  } else if (message.kind === 'remap') {
    word(8, message.from * PAGE_SIZE)
    word(16, message.to * PAGE_SIZE)
    word(24, message.pages * PAGE_SIZE)
  } else {
    word(8, message.start * PAGE_SIZE)
    word(16, message.end * PAGE_SIZE)
  }
  return bytes
}
