/** The files that a process of a script has open. */
import { NULL, type Ptr } from '../../../src/base/numbers.js'
import { openFile } from '../../../src/fault/testing.js'
import { ObjectKind, type PageObjects } from '../../../src/space/page-object.js'
import type { FileBacking } from '../../../src/syscall/file-backing.js'

const PAGE = 4096

/** Opened twice, for both and for reading only. */
interface ScriptFile {
  readonly object: Ptr
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

  /** `file K PAGES`: a new one in place of what K was; each page begins with a byte of its own. */
  create(k: number, pages: number): void {
    const old = this.#files.get(k)
    if (old !== undefined) this.#objects.release(old.object)
    const object = this.#objects.create(ObjectKind.tmpfs, pages * PAGE)
    for (let i = 0; i < pages; i++) this.#objects.write(object, i * PAGE, Uint8Array.of(k * 16 + i))
    const open = (writable: boolean) => openFile(object, { identity: ++this.#opens.last, writable })
    this.#files.set(k, { object, both: open(true), readOnly: open(false) })
  }

  object(k: number): Ptr {
    return this.#files.get(k)!.object
  }

  /** `f1`, or `r1`: for reading only. */
  backing(name: string): FileBacking {
    const file = this.#files.get(Number(name.slice(1)))!
    return name.startsWith('r') ? file.readOnly : file.both
  }

  /** Which of them an object is, or -1. */
  numberOf(object: Ptr): number {
    if (object !== NULL) for (const [k, file] of this.#files) if (file.object === object) return k
    return -1
  }
}
