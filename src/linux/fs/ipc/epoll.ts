/**
 * epoll(7), as fs/eventpoll.c has it: what is watched, and the list of what may be ready, in the order in which it
 * became so. A wait takes what is on the list and looks whether it still is; what is watched by level goes back to its end.
 */
import { EEXIST, EINVAL, ELOOP, ENOENT, EPERM } from '../../../base/errno.js'
import { eventsOf, operationsOf } from '../file-operations.js'
import { Open, Poll } from '../flags.js'
import type { OpenFile } from '../open-file.js'
import type { Vfs } from '../vfs.js'
import { makeAnonymousFile } from './anonymous-file.js'
import { channel } from './channel.js'
import type { EventSource } from './event-source.js'
import { objectOf } from './file-object.js'

export const EpollEvent = {
  exclusive: 1 << 28,
  wakeUp: 1 << 29,
  oneShot: 1 << 30,
  edge: 1 << 31,
} as const

/** Bits that say how to report, not what. */
const PRIVATE_BITS = EpollEvent.exclusive | EpollEvent.wakeUp | EpollEvent.oneShot | EpollEvent.edge
const ALWAYS = Poll.error | Poll.hangUp
/** EPOLLEXCLUSIVE may come with these only. */
const EXCLUSIVE_BITS =
  Poll.in | Poll.out | ALWAYS | EpollEvent.wakeUp | EpollEvent.edge | EpollEvent.exclusive
/** Epolls that watch epolls: no deeper than this. */
const NESTING_MAX = 4

/** One file that an epoll watches, by one of its numbers. */
export interface Watcher {
  readonly epoll: Epoll
  readonly file: OpenFile
  readonly fd: number
  /** EPOLL* bits; only private ones after a one-shot report. */
  events: number
  /** The program's own 64 bits. */
  dataLow: number
  dataHigh: number
  isListed: boolean
  /** Of a file of the host's, whose changes nobody tells: the poll bits when it was last looked at. */
  seen: number
}

export interface Epoll {
  /** For those that wait for it or watch it. */
  readonly events: EventSource
  readonly watched: Map<string, Watcher>
  ready: Watcher[]
}

export interface EpollRequest {
  readonly events: number
  readonly dataLow: number
  readonly dataHigh: number
}

const epollOf = (file: OpenFile) => objectOf<Epoll>(file)
const keyOf = (file: OpenFile, fd: number) => `${fd} ${file.identity}`

export const epollFile = channel({
  receive: () => -EINVAL,
  send: () => -EINVAL,
  poll: (vfs, file) => (hasReady(vfs, epollOf(file)) ? Poll.in | Poll.readNormal : 0),
  events: (file) => epollOf(file).events,
  alsoWaitsFor: (vfs, file) => untoldWaits(vfs, epollOf(file)),
  close(_vfs, file) {
    for (const watcher of epollOf(file).watched.values()) forget(watcher)
  },
})

export function makeEpoll(vfs: Vfs): OpenFile {
  const file = makeAnonymousFile(vfs, 'epoll', '[eventpoll]', Open.readWrite)
  file.object = { events: vfs.events.makeSource(), watched: new Map(), ready: [] }
  return file
}

/** Whether a file can be watched at all: files with contents are always ready, and cannot. */
export function canWatch(vfs: Vfs, file: OpenFile): boolean {
  const { channel, waitsFor } = operationsOf(file)
  return channel !== undefined || waitsFor(vfs, file) !== 0
}

/** EPOLL_CTL_ADD: 0, -EPERM, -EINVAL, -EEXIST, -ELOOP. */
export function watch(vfs: Vfs, on: OpenFile, file: OpenFile, fd: number, request: EpollRequest): number {
  const epoll = epollOf(on)
  if ((request.events & EpollEvent.exclusive) !== 0) {
    if (file.kind === 'epoll' || (request.events & ~EXCLUSIVE_BITS) !== 0) return -EINVAL
  }
  if (file.kind === 'epoll' && !mayNest(epoll, epollOf(file))) return -ELOOP
  if (epoll.watched.has(keyOf(file, fd))) return -EEXIST
  const { dataLow, dataHigh } = request
  const events = request.events | ALWAYS
  const watcher = { epoll, file, fd, events, dataLow, dataHigh, isListed: false, seen: 0 }
  epoll.watched.set(keyOf(file, fd), watcher)
  file.watchers.push(watcher)
  eventsOf(file)?.watchers.unshift(watcher)
  listIfReady(vfs, watcher)
  return 0
}

/** EPOLL_CTL_MOD: 0, -ENOENT, -EINVAL. */
export function rewatch(vfs: Vfs, on: OpenFile, file: OpenFile, fd: number, request: EpollRequest): number {
  if ((request.events & EpollEvent.exclusive) !== 0) return -EINVAL
  const watcher = epollOf(on).watched.get(keyOf(file, fd))
  if (watcher === undefined) return -ENOENT
  if ((watcher.events & EpollEvent.exclusive) !== 0) return -EINVAL
  watcher.events = request.events | ALWAYS
  watcher.dataLow = request.dataLow
  watcher.dataHigh = request.dataHigh
  listIfReady(vfs, watcher)
  return 0
}

/** EPOLL_CTL_DEL: 0 or -ENOENT. */
export function unwatch(on: OpenFile, file: OpenFile, fd: number): number {
  const watcher = epollOf(on).watched.get(keyOf(file, fd))
  if (watcher === undefined) return -ENOENT
  forget(watcher)
  return 0
}

/** -EPERM for a file that cannot be watched, -EINVAL for one that watches itself or for `on` that is no epoll. */
export function checkWatch(vfs: Vfs, on: OpenFile, file: OpenFile): number {
  if (!canWatch(vfs, file)) return -EPERM
  return on === file || on.kind !== 'epoll' ? -EINVAL : 0
}

/** A file is closed: nobody watches it any more. */
export function forgetFile(file: OpenFile): void {
  for (const watcher of [...file.watchers]) forget(watcher)
}

function forget(watcher: Watcher): void {
  const { epoll, file, fd } = watcher
  epoll.watched.delete(keyOf(file, fd))
  epoll.ready = epoll.ready.filter((other) => other !== watcher)
  file.watchers = file.watchers.filter((other) => other !== watcher)
  const source = eventsOf(file)
  if (source !== undefined) source.watchers = source.watchers.filter((other) => other !== watcher)
}

/** What is ready, at most `most`; `report` is asked for each and ends it with false (then that one stays on the list). */
export function takeReady(
  vfs: Vfs,
  on: OpenFile,
  most: number,
  report: (watcher: Watcher, bits: number) => boolean,
): number {
  const epoll = epollOf(on)
  listUntold(vfs, epoll)
  const list = epoll.ready
  epoll.ready = []
  let count = 0
  let at = 0
  for (; at < list.length && count < most; at++) {
    const watcher = list[at]!
    const bits = bitsOf(vfs, watcher)
    if (bits !== 0 && !report(watcher, bits)) break
    watcher.isListed = false
    if (bits === 0) continue
    count++
    settle(watcher)
  }
  epoll.ready = [...list.slice(at), ...epoll.ready]
  return count
}

/** What was reported is disarmed, waits for the next change, or stays on the list. */
function settle(watcher: Watcher): void {
  if ((watcher.events & EpollEvent.oneShot) !== 0) watcher.events &= PRIVATE_BITS
  else if ((watcher.events & EpollEvent.edge) === 0) {
    watcher.isListed = true
    watcher.epoll.ready.push(watcher)
  }
}

function bitsOf(vfs: Vfs, { file, events }: Watcher): number {
  return operationsOf(file).poll(vfs, file) & events & ~PRIVATE_BITS
}

function listIfReady(vfs: Vfs, watcher: Watcher): void {
  if (watcher.isListed || bitsOf(vfs, watcher) === 0) return
  watcher.isListed = true
  watcher.epoll.ready.push(watcher)
  vfs.events.notify(watcher.epoll.events, Poll.in | Poll.readNormal)
}

function hasReady(vfs: Vfs, epoll: Epoll): boolean {
  listUntold(vfs, epoll)
  return epoll.ready.some((watcher) => bitsOf(vfs, watcher) !== 0)
}

/** Streams of the host tell nobody: looked at when the epoll is. */
function isUntold({ file }: Watcher): boolean {
  return file.kind === 'device' || file.kind === 'epoll'
}

function listUntold(vfs: Vfs, epoll: Epoll): void {
  for (const watcher of epoll.watched.values()) {
    if (!isUntold(watcher)) continue
    const bits = bitsOf(vfs, watcher)
    const isNew = (bits & ~watcher.seen) !== 0 || (watcher.events & EpollEvent.edge) === 0
    watcher.seen = bits
    if (bits === 0 || !isNew || watcher.isListed) continue
    watcher.isListed = true
    epoll.ready.push(watcher)
  }
}

function untoldWaits(vfs: Vfs, epoll: Epoll): number {
  let waits = 0
  for (const watcher of epoll.watched.values()) {
    if (isUntold(watcher)) waits |= operationsOf(watcher.file).waitsFor(vfs, watcher.file)
  }
  return waits
}

/** Whether `inner` may be watched by `outer`: no circle, and not too deep. */
function mayNest(outer: Epoll, inner: Epoll): boolean {
  return !reaches(inner, outer) && depthBelow(inner) + heightAbove(outer) < NESTING_MAX
}

function innerOf(epoll: Epoll): Epoll[] {
  return [...epoll.watched.values()]
    .filter(({ file }) => file.kind === 'epoll')
    .map(({ file }) => epollOf(file))
}

function reaches(from: Epoll, to: Epoll): boolean {
  return from === to || innerOf(from).some((inner) => reaches(inner, to))
}

function depthBelow(epoll: Epoll): number {
  return Math.max(0, ...innerOf(epoll).map((inner) => 1 + depthBelow(inner)))
}

function heightAbove(epoll: Epoll): number {
  return Math.max(0, ...epoll.events.watchers.map((watcher) => 1 + heightAbove(watcher.epoll)))
}
