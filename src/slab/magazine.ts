import { NULL, type Ptr } from '../base/numbers.js'
import { reverseWords } from '../state/words.js'

/** Words of a magazine. */
export const enum MagazineWord {
  count = 0,
  limit = 1,
  objects = 2,
}
export const MAGAZINE_WORDS = 64
/** A limit of 0 and nothing in it. */
const NONE = new Int32Array(MAGAZINE_WORDS)

/**
 * Objects of one cache that one hart keeps for itself: most allocations touch nothing else. 64 words:
 *
 *     0   i32       count  objects in it
 *     4   i32       limit  it holds so many at most
 *     8   62 × i32  the objects, a stack: the one freed last goes first
 *
 * For the slabs these objects are used. Whoever uses it holds the lock of the hart's magazines; on memory that is not shared nobody else
 * is there, and no lock is needed. The view starts where the magazine does, so that places in it are constants.
 */
export class Magazine {
  readonly words: Int32Array

  constructor(words: Int32Array) {
    this.words = words
  }

  /** A magazine that is empty and full at once. */
  static none(): Magazine {
    return new Magazine(NONE)
  }

  get count(): number {
    return this.words[MagazineWord.count]!
  }

  get limit(): number {
    return this.words[MagazineWord.limit]!
  }

  set limit(objects: number) {
    this.words[MagazineWord.limit] = objects
  }

  /** An object, as it was left; NULL when there is none. */
  take(): Ptr {
    const words = this.words
    const count = words[MagazineWord.count]!
    if (count === 0) return NULL
    words[MagazineWord.count] = count - 1
    return (words[count + MagazineWord.objects - 1]! >>> 0) as Ptr
  }

  /** Puts an object into a magazine that is not full. */
  give(object: Ptr): void {
    const words = this.words
    const count = words[MagazineWord.count]!
    words[MagazineWord.count] = count + 1
    words[count + MagazineWord.objects] = object
  }

  holds(object: Ptr): boolean {
    return this.#held().includes(object | 0)
  }

  /** What is in it, the object that goes last first. */
  objects(): Ptr[] {
    return Array.from(this.#held(), (word) => (word >>> 0) as Ptr)
  }

  #held(): Int32Array {
    return this.words.subarray(MagazineWord.objects, MagazineWord.objects + this.count)
  }

  /** Fills the empty magazine with up to `objects` objects; the first one goes first. `next` is told whether there is none yet; it ends with NULL. */
  refill(objects: number, next: (isFirst: boolean) => Ptr): void {
    const words = this.words
    let count = 0
    for (let object = next(true); object !== NULL; object = count < objects ? next(false) : NULL) {
      words[MagazineWord.objects + count++] = object
    }
    reverseWords(words, MagazineWord.objects, count)
    words[MagazineWord.count] = count
  }

  /** Takes out the objects that have been here longest until `keep` are left. */
  drain(keep: number, each: (object: Ptr) => void): void {
    const words = this.words
    const count = this.count
    const gone = Math.max(0, count - keep)
    for (let i = 0; i < gone; i++) each((words[MagazineWord.objects + i]! >>> 0) as Ptr)
    words.copyWithin(MagazineWord.objects, MagazineWord.objects + gone, MagazineWord.objects + count)
    words[MagazineWord.count] = count - gone
  }
}
