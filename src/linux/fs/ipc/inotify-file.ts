/** The file of an instance of inotify(7), from which its events are read. */
import { EAGAIN, EFAULT, EINVAL } from '../../../base/errno.js'
import { Open, Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import { bytesOf } from '../text.js'
import type { Vfs } from '../vfs.js'
import { makeAnonymousFile } from './anonymous-file.js'
import { channel } from './channel.js'
import { objectOf } from './file-object.js'
import {
  dropWatch,
  type Inotify,
  type InotifyUsage,
  Notice,
  type NoticeEvent,
  type Watch,
} from './inotify.js'

/** struct inotify_event without its name; a name takes whole ones. */
const EVENT_BYTES = 16

export const inotifyOf = (file: OpenFile) => objectOf<Inotify>(file)

export const inotifyFile = channel({
  receive(_vfs, file, sink) {
    const { queue } = inotifyOf(file)
    let done = 0
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const bytes = encode(first)
      if (sink.left < bytes.length) return done > 0 ? done : -EINVAL
      queue.shift()
      if (sink.put(bytes) < bytes.length) return -EFAULT
      done += bytes.length
    }
    return done > 0 ? done : -EAGAIN
  },
  send: () => -EINVAL,
  poll: (_vfs, file) => (inotifyOf(file).queue.length > 0 ? Poll.in | Poll.readNormal : 0),
  events: (file) => inotifyOf(file).events,
  bytesReadable: (_vfs, file) => inotifyOf(file).queue.reduce((sum, event) => sum + bytesFor(event), 0),
  information(file) {
    return [...inotifyOf(file).watches.values()].reverse().map(watchLine).join('')
  },
  close(vfs, file) {
    const instance = inotifyOf(file)
    for (const watch of instance.watches.values()) dropWatch(vfs.state.inotify, watch)
    instance.usage.instances--
  },
})

/** A file for a new instance. `flags`: O_NONBLOCK. */
export function makeInotifyFile(vfs: Vfs, usage: InotifyUsage, flags: number): OpenFile {
  const file = makeAnonymousFile(vfs, 'inotify', 'inotify', flags | Open.readOnly)
  file.object = { events: vfs.events.makeSource(), watches: new Map(), nextWatch: 1, queue: [], usage }
  usage.instances++
  return file
}

/** Without the file handle that Linux adds. */
function watchLine({ number, inode, mask, excludesUnlinked, isOneShot }: Watch): string {
  const flags = (excludesUnlinked ? Notice.excludeUnlinked : 0) | (isOneShot ? Notice.oneShot : 0)
  const hexadecimal = (value: number) => (value >>> 0).toString(16)
  const place = `ino:${hexadecimal(inode.number)} sdev:${hexadecimal(inode.filesystem.device)}`
  return `inotify wd:${hexadecimal(number)} ${place} mask:${hexadecimal(mask | flags)} ignored_mask:0 \n`
}

function bytesFor({ name }: NoticeEvent): number {
  return EVENT_BYTES + (name === '' ? 0 : Math.ceil((name.length + 1) / EVENT_BYTES) * EVENT_BYTES)
}

function encode(event: NoticeEvent): Uint8Array {
  const bytes = new Uint8Array(bytesFor(event))
  const view = new DataView(bytes.buffer)
  view.setInt32(0, event.watch, true)
  view.setUint32(4, event.mask, true)
  view.setUint32(8, event.cookie, true)
  view.setUint32(12, bytes.length - EVENT_BYTES, true)
  bytes.set(bytesOf(event.name), EVENT_BYTES)
  return bytes
}
