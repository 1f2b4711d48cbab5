/**
 * How files that change tell who waits. A thread waits for a *set* of files by a mask in its record (`waitArgument`): each
 * source has one of 28 bits, above those of the host's streams, and a thread is woken when its mask has the bit. Two
 * sources with the same bit wake each other's threads, which look, and park again.
 */
import type { FileEnvironment } from '../environment.js'
import type { Watcher } from './epoll.js'

export interface EventSource {
  /** One bit of `waitArgument`. */
  readonly mask: number
  /** Who watches it by epoll: the last that came is told first, as Linux does. */
  watchers: Watcher[]
}

/** The lowest bits are FileWait's. */
const FIRST_BIT = 3
const BITS = 28

/** Counts sources, for their bits: part of the file system's state. */
export interface EventSourceCounter {
  nextEventSource: number
}

export class Events {
  readonly #env: FileEnvironment
  readonly #counter: EventSourceCounter

  constructor(env: FileEnvironment, counter: EventSourceCounter) {
    this.#env = env
    this.#counter = counter
  }

  makeSource(): EventSource {
    return { mask: 1 << (FIRST_BIT + (this.#counter.nextEventSource++ % BITS)), watchers: [] }
  }

  /** Poll bits have become true: threads that wait for the source run again, epolls put it on their lists. */
  notify(source: EventSource, bits: number): void {
    for (const watcher of source.watchers) this.#tell(watcher, bits)
    this.#env.wakeFiles(source.mask)
  }

  /** Puts what is watched on the ready list of its epoll, unless it is there or nobody asked for these bits. */
  #tell(watcher: Watcher, bits: number): void {
    if ((watcher.events & bits) === 0) return
    const { epoll } = watcher
    if (!watcher.isListed) {
      watcher.isListed = true
      epoll.ready.push(watcher)
    }
    this.notify(epoll.events, EPOLL_READABLE)
  }
}

/** An epoll that has something on its list is readable. */
const EPOLL_READABLE = 0x41
