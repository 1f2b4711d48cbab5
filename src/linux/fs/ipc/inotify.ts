/**
 * inotify(7): what happens to files, told to who watches them. An instance has a queue of events and its watches, each of which
 * stands on an inode too; fs/watching.ts tells watches of events, here they are queued (fs/notify/inotify of Linux).
 */
import type { Inode } from '../nodes.js'
import type { EventSource } from './event-source.js'

/** Bits of an event, and of what a watch asks for. */
export const Notice = {
  access: 0x1,
  modify: 0x2,
  attributes: 0x4,
  closeWrite: 0x8,
  closeNoWrite: 0x10,
  open: 0x20,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  delete: 0x200,
  deleteSelf: 0x400,
  moveSelf: 0x800,
  unmount: 0x2000,
  overflow: 0x4000,
  ignored: 0x8000,
  onlyDirectory: 0x0100_0000,
  doNotFollow: 0x0200_0000,
  /** Not told of what has no name any more. */
  excludeUnlinked: 0x0400_0000,
  maskCreate: 0x1000_0000,
  maskAdd: 0x2000_0000,
  isDirectory: 0x4000_0000,
  oneShot: 0x8000_0000,
} as const
export const NOTICES = 0xfff

export interface Watch {
  readonly instance: Inotify
  readonly inode: Inode
  /** Its number. */
  readonly number: number
  /** Notices that it asks for. */
  mask: number
  excludesUnlinked: boolean
  isOneShot: boolean
}

/** One that was queued: `name` is that of an entry of the watched folder, '' for the file itself. */
export interface NoticeEvent {
  readonly watch: number
  readonly mask: number
  readonly cookie: number
  readonly name: string
}

export interface Inotify {
  readonly events: EventSource
  /** By number; a Map keeps them in order. */
  readonly watches: Map<number, Watch>
  /** Numbers are not given twice. */
  nextWatch: number
  readonly queue: NoticeEvent[]
  readonly usage: InotifyUsage
}

/** What one user has. */
export interface InotifyUsage {
  instances: number
  watches: number
}

/** Part of the file system's state. */
export interface InotifyState {
  /** By user. */
  readonly usage: Map<number, InotifyUsage>
  /** All watches there are: with none, nobody has to be told anything. */
  watches: number
  /** Ties the two halves of a rename. */
  nextCookie: number
}

export function usageOf({ usage }: InotifyState, user: number): InotifyUsage {
  const found = usage.get(user) ?? { instances: 0, watches: 0 }
  usage.set(user, found)
  return found
}

const OVERFLOW: NoticeEvent = { watch: -1, mask: Notice.overflow, cookie: 0, name: '' }

/** Queues an event: false when it is lost, or is the same as the last one. */
export function queueEvent({ queue }: Inotify, event: NoticeEvent, eventsMax: number): boolean {
  const last = queue.at(-1)
  if (queue.length >= eventsMax) {
    if (last === OVERFLOW) return false
    queue.push(OVERFLOW)
    return true
  }
  if (last !== undefined && isRepeated(last, event)) return false
  queue.push(event)
  return true
}

function isRepeated(last: NoticeEvent, { watch, mask, name }: NoticeEvent): boolean {
  return last.mask === mask && last.watch === watch && last.name === name && (mask & Notice.ignored) === 0
}

export function addWatch(state: InotifyState, instance: Inotify, inode: Inode, mask: number): Watch {
  const flags = { excludesUnlinked: false, isOneShot: false }
  const watch: Watch = { instance, inode, number: instance.nextWatch++, mask, ...flags }
  instance.watches.set(watch.number, watch)
  inode.watches = [...(inode.watches ?? []), watch]
  instance.usage.watches++
  state.watches++
  return watch
}

/** Nobody is told that it is gone. */
export function dropWatch(state: InotifyState, watch: Watch): void {
  const { instance, inode } = watch
  if (!instance.watches.delete(watch.number)) return
  const others = inode.watches?.filter((other) => other !== watch) ?? []
  inode.watches = others.length > 0 ? others : null
  instance.usage.watches--
  state.watches--
}
