/** The command's own standard streams as a guest's. Bytes pass through unchanged; nothing is buffered on the way out. */
import { fstatSync, readSync, type Stats, writeSync } from 'node:fs'
import { EAGAIN, EIO, errnoByName } from '../base/errno.js'
import type { Host, HostInput, HostOutput } from '../linux/host.js'
import { isTerminal } from './terminal.js'

/** How long to wait before asking again whether a full non-blocking output has room. */
const RETRY_MILLISECONDS = 2

function failure(error: unknown): number {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return -(errnoByName(code) ?? EIO)
}

/** A regular file, a folder or a device is read when the guest reads: at most what it asks for, from where it stands. */
class FileInput implements HostInput {
  readonly terminal = false
  readonly #fd: number
  constructor(fd: number) {
    this.#fd = fd
  }

  read(target: Uint8Array): number {
    try {
      return readSync(this.#fd, target, 0, target.length, null)
    } catch (error) {
      return failure(error)
    }
  }

  isReady(): boolean {
    return true
  }

  async ready(): Promise<void> {}
}

/** A pipe, a socket or a terminal is listened to from the guest's first read on. */
class StreamInput implements HostInput {
  readonly terminal: boolean
  #chunks: Uint8Array[] = []
  #ended = false
  #started = false
  #wake: (() => void)[] = []

  constructor(terminal: boolean) {
    this.terminal = terminal
  }

  read(target: Uint8Array): number {
    if (!this.isReady()) return -EAGAIN
    const chunk = this.#chunks[0]
    if (chunk === undefined) return 0
    const part = chunk.subarray(0, target.length)
    target.set(part)
    if (part.length === chunk.length) this.#chunks.shift()
    else this.#chunks[0] = chunk.subarray(part.length)
    if (this.#chunks.length === 0 && !this.#ended) process.stdin.resume()
    return part.length
  }

  isReady(): boolean {
    if (!this.#started) this.#start()
    return this.#chunks.length > 0 || this.#ended
  }

  ready(): Promise<void> {
    return this.isReady() ? Promise.resolve() : new Promise((resolve) => this.#wake.push(resolve))
  }

  /** Input that nobody reads any more would keep the process. */
  close(): void {
    if (this.#started) process.stdin.destroy()
  }

  #start(): void {
    this.#started = true
    const end = () => {
      this.#ended = true
      this.#notify()
    }
    process.stdin.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk)
      process.stdin.pause()
      this.#notify()
    })
    process.stdin.on('end', end).on('error', end)
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

class FdOutput implements HostOutput {
  readonly terminal: boolean
  readonly #fd: 1 | 2
  #full = false

  constructor(fd: 1 | 2) {
    this.#fd = fd
    this.terminal = isTerminal(fd)
  }

  /** writeSync tells at once that nobody reads any more, and keeps nothing that an exit could lose. */
  write(source: Uint8Array): number {
    try {
      const written = writeSync(this.#fd, source, 0, source.length)
      this.#full = false
      return written
    } catch (error) {
      const errno = failure(error)
      this.#full = errno === -EAGAIN
      return errno
    }
  }

  isReady(): boolean {
    return !this.#full
  }

  async ready(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS))
    this.#full = false
  }

  size(): { columns: number; rows: number } {
    const { columns = 80, rows = 24 } = this.#fd === 1 ? process.stdout : process.stderr
    return { columns, rows }
  }
}

function standardInput(): HostInput & { close?(): void } {
  let stat: Stats
  try {
    stat = fstatSync(0)
  } catch {
    return { read: () => 0, isReady: () => true, ready: async () => {} } // closed by whoever started us
  }
  if (stat.isFIFO() || stat.isSocket()) return new StreamInput(false)
  return isTerminal(0) ? new StreamInput(true) : new FileInput(0)
}

/** Standard input, output and error of this process. `close` it when the guest has ended, or unread input keeps the process. */
export interface NodeHost extends Host {
  close(): void
}

/** Node's own streams are left alone until they are needed: making one takes milliseconds. */
export function nodeHost(): NodeHost {
  const stdin = standardInput()
  return { stdin, stdout: new FdOutput(1), stderr: new FdOutput(2), close: () => stdin.close?.() }
}
