import { assert } from '../base/assert.js'
import { NULL, type Ptr } from '../base/numbers.js'
import { ObjectRecords, type ObjectsEnv } from './object-records.js'
import { VM_MAYWRITE, VM_SHARED } from './vm-flags.js'
import { Vma } from './vma.js'

const SHARED_WRITABLE = VM_SHARED | VM_MAYWRITE

/** The mappings of objects: a list for each, linked through the Vmas' own links and guarded by the object's lock. */
export class ObjectMappings extends ObjectRecords {
  readonly #vma: Vma

  constructor(env: ObjectsEnv) {
    super(env)
    this.#vma = new Vma(env.memory, NULL)
  }

  /** Mappings through which it may be written, now or after an mprotect (i_mmap_writable). */
  writableMappings(object: Ptr): number {
    return this.word(object, 64)
  }

  /** First Vma that maps the object, NULL when none does. Hold the object's lock to walk on. */
  firstMapping(object: Ptr): Ptr {
    return this.word(object, 40) as Ptr
  }

  /** Visits the mappings of the object, with its lock held: take none below it and change no mapping. */
  forEachMapping(object: Ptr, visit: (vma: Vma) => void): void {
    const vma = new Vma(this.env.memory)
    this.lock(object)
    for (let at = this.firstMapping(object); at !== NULL; at = vma.nextMapping) visit(vma.at(at))
    this.unlock(object)
  }

  /** How many mappings there are. */
  mappings(object: Ptr): number {
    let count = 0
    this.forEachMapping(object, () => {
      count++
    })
    return count
  }

  /** Links a Vma that maps the object, and takes a reference for it. */
  attachVma(object: Ptr, vma: Ptr): void {
    this.retain(object)
    this.lock(object)
    const first = this.firstMapping(object)
    this.#vma.at(vma).nextMapping = first
    this.#vma.previousMapping = NULL
    if (first !== NULL) this.#vma.at(first).previousMapping = vma
    this.setWord(object, 40, vma)
    this.#countWritable(object, vma, 1)
    this.unlock(object)
  }

  #countWritable(object: Ptr, vma: Ptr, change: number): void {
    if ((this.#vma.at(vma).flags & SHARED_WRITABLE) === SHARED_WRITABLE) {
      this.setWord(object, 64, this.writableMappings(object) + change)
    }
  }

  /** Unlinks a Vma; its reference is the caller's to give back. */
  protected unlinkVma(object: Ptr, vma: Ptr): void {
    this.lock(object)
    const { nextMapping, previousMapping } = this.#vma.at(vma)
    if (nextMapping !== NULL) this.#vma.at(nextMapping).previousMapping = previousMapping
    if (previousMapping !== NULL) this.#vma.at(previousMapping).nextMapping = nextMapping
    else this.setWord(object, 40, nextMapping)
    this.#countWritable(object, vma, -1)
    this.unlock(object)
  }

  /** Asserts the links and that every mapping in the list maps the object; returns how many there are. */
  protected checkMappings(object: Ptr): number {
    let mappings = 0
    let writable = 0
    let previous = NULL
    for (let at = this.firstMapping(object); at !== NULL; at = this.#vma.nextMapping) {
      this.#vma.at(at)
      assert(this.#vma.object === object, 'a mapping in the list maps the object')
      assert(this.#vma.previousMapping === previous, 'the list of mappings is linked both ways')
      if ((this.#vma.flags & SHARED_WRITABLE) === SHARED_WRITABLE) writable++
      previous = at
      mappings++
    }
    assert(writable === this.writableMappings(object), 'an object counts its writable mappings')
    return mappings
  }
}
