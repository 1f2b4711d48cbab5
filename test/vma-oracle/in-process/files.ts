/** The files that a process of a script has open. */

import { EPERM } from '../../../src/base/errno.js'
import { NULL, type Ptr } from '../../../src/base/numbers.js'
import { openFile } from '../../../src/fault/testing.js'
import { addSeals } from '../../../src/linux/fs/calls/memfd-calls.js'
import { Open, Seal } from '../../../src/linux/fs/flags.js'
import type { OpenFile } from '../../../src/linux/fs/open-file.js'
import type { Vfs } from '../../../src/linux/fs/vfs.js'
import { ObjectKind, type PageObjects } from '../../../src/space/page-object.js'
import type { FileBacking } from '../../../src/syscall/file-backing.js'

const PAGE = 4096
const NO_WRITES = Seal.write | Seal.futureWrite

/** Opened twice, for both and for reading only. */
interface ScriptFile {
  readonly object: Ptr
  /** What a seal has to know of the file. */
  readonly inode: { seals: number; readonly mode: number }
  readonly both: FileBacking
  readonly readOnly: FileBacking
}

/** Numbers of open files: each is a file of its own to what decides whether mappings are joined. */
interface OpenCount {
  last: number
}

export class ScriptFiles {
  readonly #objects: PageObjects
  readonly #opens: OpenCount
  readonly #files: Map<number, ScriptFile>

  constructor(objects: PageObjects, opens: OpenCount = { last: 0 }, files = new Map<number, ScriptFile>()) {
    this.#objects = objects
    this.#opens = opens
    this.#files = files
  }

  /** What a child has open: the same files. */
  fork(): ScriptFiles {
    for (const { object } of this.#files.values()) this.#objects.retain(object)
    return new ScriptFiles(this.#objects, this.#opens, new Map(this.#files))
  }

  close(): void {
    for (const { object } of this.#files.values()) this.#objects.release(object)
  }

  /** `file K PAGES [WRITTEN]`: a new one in place of what K was; its first pages begin with a byte of their own each. */
  create(k: number, pages: number, written: number): void {
    const old = this.#files.get(k)
    if (old !== undefined) this.#objects.release(old.object)
    const object = this.#objects.create(ObjectKind.tmpfs, pages * PAGE)
    for (let i = 0; i < written; i++) this.#objects.write(object, i * PAGE, Uint8Array.of(k * 16 + i))
    const open = (writable: boolean) =>
      openFile(object, { identity: ++this.#opens.last, unnamed: true, writable })
    const inode = { seals: 0, mode: 0o777, pages: object, filesystem: { kind: 'tmpfs' } }
    this.#files.set(k, { object, inode, both: open(true), readOnly: open(false) })
  }

  /** `seal K SEALS`. */
  seal(k: number, seals: number): number {
    const contents = this.#objects
    const file = { kind: 'pages', flags: Open.readWrite, dentry: { inode: this.#files.get(k)!.inode } }
    return addSeals({ contents } as unknown as Vfs, file as unknown as OpenFile, seals)
  }

  /** -EPERM when its seals forbid it to become so large. */
  mayResize(k: number, bytes: number): number {
    const { object, inode } = this.#files.get(k)!
    const size = this.#objects.size(object)
    const forbidden = (bytes < size ? Seal.shrink : 0) | (bytes > size ? Seal.grow : 0)
    return (inode.seals & forbidden) !== 0 ? -EPERM : 0
  }

  /** -EPERM when its seals forbid to write as far as there. */
  mayWrite(k: number, end: number): number {
    const { object, inode } = this.#files.get(k)!
    if ((inode.seals & NO_WRITES) !== 0) return -EPERM
    return end > this.#objects.size(object) ? this.mayResize(k, end) : 0
  }

  object(k: number): Ptr {
    return this.#files.get(k)!.object
  }

  /** `f1`, or `r1`: for reading only. */
  backing(name: string): FileBacking {
    const file = this.#files.get(Number(name.slice(1)))!
    const sealed = (file.inode.seals & NO_WRITES) !== 0
    return { ...(name.startsWith('r') ? file.readOnly : file.both), sealed }
  }

  /** Which of them an object is, or -1. */
  numberOf(object: Ptr): number {
    if (object !== NULL) for (const [k, file] of this.#files) if (file.object === object) return k
    return -1
  }
}
