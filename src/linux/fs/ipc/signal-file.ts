/** signalfd(2): a file from which a program reads the signals that are pending for it. They are the reader's, not the opener's. */
import { EAGAIN, EFAULT, EINVAL } from '../../../base/errno.js'
import { SIGINFO_BYTES } from '../../signal-queue.js'
import { Open, Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { makeAnonymousFile } from './anonymous-file.js'
import { channel } from './channel.js'
import type { EventSource } from './event-source.js'
import { objectOf } from './file-object.js'
import { encodeSignalfdInfo, SIGNALFD_INFO_BYTES } from './signalfd-info.js'

export interface SignalFile {
  readonly events: EventSource
  /** The signals that are read. */
  maskLow: number
  maskHigh: number
}

export const signalFileOf = (file: OpenFile) => objectOf<SignalFile>(file)

export const signalFile = channel({
  receive(vfs, file, sink) {
    const { maskLow, maskHigh } = signalFileOf(file)
    const info = new Uint8Array(SIGINFO_BYTES)
    if (sink.left < SIGNALFD_INFO_BYTES) return -EINVAL
    let done = 0
    while (sink.left >= SIGNALFD_INFO_BYTES) {
      if (vfs.env.signals.takeOfCaller(maskLow, maskHigh, info) === 0) break
      if (sink.put(encodeSignalfdInfo(info)) < SIGNALFD_INFO_BYTES) return done > 0 ? done : -EFAULT
      done += SIGNALFD_INFO_BYTES
    }
    return done > 0 ? done : -EAGAIN
  },
  send: () => -EINVAL,
  poll(vfs, file) {
    const { maskLow, maskHigh } = signalFileOf(file)
    return vfs.env.signals.isPendingForCaller(maskLow, maskHigh) ? Poll.in : 0
  },
  events: (file) => signalFileOf(file).events,
  close(vfs, file) {
    vfs.state.signalFiles.delete(signalFileOf(file))
  },
})

export function makeSignalFile(vfs: Vfs, maskLow: number, maskHigh: number, flags: number): OpenFile {
  const file = makeAnonymousFile(vfs, 'signalfd', '[signalfd]', flags | Open.readWrite)
  const object: SignalFile = { events: vfs.events.makeSource(), maskLow, maskHigh }
  file.object = object
  vfs.state.signalFiles.add(object)
  return file
}

/** Another mask: what is pending may be readable now. */
export function setSignalMask(vfs: Vfs, file: OpenFile, maskLow: number, maskHigh: number): void {
  Object.assign(signalFileOf(file), { maskLow, maskHigh })
  vfs.events.notify(signalFileOf(file).events, Poll.in)
}

/** A signal is pending for some process or thread: readers look. */
export function tellSignalFiles(vfs: Vfs, signal: number): void {
  for (const { events, maskLow, maskHigh } of vfs.state.signalFiles) {
    const half = signal <= 32 ? maskLow : maskHigh
    if ((half & (1 << ((signal - 1) & 31))) !== 0) vfs.events.notify(events, Poll.in)
  }
}
