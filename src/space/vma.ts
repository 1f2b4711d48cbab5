/**
 * A VMA: a run of pages of one address space with one protection and one backing. 80 bytes, slab cache "vma".
 * All fields are guarded by the lock of the space, but for the links, which the object's lock guards.
 *
 *     0   f64  start        first page
 *     8   f64  end          page after the last
 *     16  f64  pageOffset   page of the object that `start` shows; anonymous: the page where it was first mapped
 *     24  u32  flags        VmFlag
 *     28  u32  object       PageObject, or NULL = private anonymous
 *     32  u32  file         identity of the open file that was mapped (0 = none): two opens never merge; bit 31: MAPPED_UNNAMED
 *     36  u32  family       AnonymousFamilies: whose anonymous pages it may show, NULL = it had none yet
 *     40  u32  userfault    context of userfaultfd(2) that it is registered with (userfaults.ts), or NULL
 *     44  u32  special      Special
 *     48  u32  space        its address space
 *     52  u32  leaf         tree node that holds it
 *     56  u32  previousMapping, nextMapping list of all mappings of the object
 *              anonymous: bias  frame that a page should get, less its number; 0 = any (fault/placed-frame.ts)
 *     64  u32  name         VmaNames, or NULL; the record has a reference to it
 *     68  u32  policy       memory policy (memory-policy.ts), 0 = the default
 */
import { NULL, type Ptr, type Vpn } from '../base/numbers.js'
import type { Memory } from '../state/memory.js'

export const VMA_BYTES = 80
/** Of `file`: the file had no name any more when it was mapped (shmem_anon_vm_ops of Linux). Such mappings merge with the others all the same. */
export const MAPPED_UNNAMED = 2 ** 31
/** Byte offsets of what is read without a view: by the tree, its backlink too, and by WebAssembly (fault/answer-code.ts). */
export const VMA_START = 0
export const VMA_END = 8
export const VMA_OFFSET = 16
export const VMA_FLAGS = 24
export const VMA_OBJECT = 28
export const VMA_FAMILY = 36
export const VMA_USERFAULT = 40
export const VMA_SPECIAL = 44
export const VMA_SPACE = 48
export const VMA_LEAF = 52
export const VMA_BIAS = 56
/** The links of the list of relatives (anonymous-families.ts). */
export const VMA_RELATIVES = [72, 76] as const

/** What a mapping is when it is neither anonymous nor an object. */
export const Special = { none: 0, vdso: 1, vvar: 2 } as const

/** A view on one record. It may be moved with `at`; a moved view saves an allocation where many are visited. */
export class Vma {
  readonly #words: Uint32Array
  readonly #numbers: Float64Array
  ptr: Ptr

  constructor(memory: Memory, ptr: Ptr = NULL) {
    this.#words = memory.u32
    this.#numbers = memory.f64
    this.ptr = ptr
  }

  at(ptr: Ptr): this {
    this.ptr = ptr
    return this
  }

  get start(): Vpn {
    return this.#numbers[this.ptr >>> 3]! as Vpn
  }
  /** The bounds of a VMA in a tree change through `VmaTree.setBounds` only. */
  set start(page: Vpn) {
    this.#numbers[this.ptr >>> 3] = page
  }

  get end(): Vpn {
    return this.#numbers[(this.ptr + 8) >>> 3]! as Vpn
  }
  set end(page: Vpn) {
    this.#numbers[(this.ptr + 8) >>> 3] = page
  }

  get pages(): number {
    return this.end - this.start
  }

  get pageOffset(): number {
    return this.#numbers[(this.ptr + 16) >>> 3]!
  }
  set pageOffset(page: number) {
    this.#numbers[(this.ptr + 16) >>> 3] = page
  }

  /** The page of the object (or anonymous family) that a page of the mapping shows. */
  offsetOf(vpn: number): number {
    return vpn - this.start + this.pageOffset
  }

  get flags(): number {
    return this.#words[(this.ptr + 24) >>> 2]!
  }
  set flags(flags: number) {
    this.#words[(this.ptr + 24) >>> 2] = flags
  }

  get object(): Ptr {
    return this.#words[(this.ptr + 28) >>> 2]! as Ptr
  }
  set object(object: Ptr) {
    this.#words[(this.ptr + 28) >>> 2] = object
  }

  get file(): number {
    return this.#words[(this.ptr + 32) >>> 2]!
  }
  set file(file: number) {
    this.#words[(this.ptr + 32) >>> 2] = file
  }

  get family(): Ptr {
    return this.#words[(this.ptr + 36) >>> 2]! as Ptr
  }
  /** AnonymousFamilies' own. */
  set family(family: Ptr) {
    this.#words[(this.ptr + 36) >>> 2] = family
  }

  get userfault(): Ptr {
    return this.#words[(this.ptr + 40) >>> 2]! as Ptr
  }
  set userfault(context: Ptr) {
    this.#words[(this.ptr + 40) >>> 2] = context
  }

  get special(): number {
    return this.#words[(this.ptr + 44) >>> 2]!
  }
  set special(special: number) {
    this.#words[(this.ptr + 44) >>> 2] = special
  }

  get space(): Ptr {
    return this.#words[(this.ptr + 48) >>> 2]! as Ptr
  }
  set space(space: Ptr) {
    this.#words[(this.ptr + 48) >>> 2] = space
  }

  get previousMapping(): Ptr {
    return this.#words[(this.ptr + 56) >>> 2]! as Ptr
  }
  set previousMapping(vma: Ptr) {
    this.#words[(this.ptr + 56) >>> 2] = vma
  }

  /** Of private anonymous memory. */
  get bias(): number {
    return this.#words[(this.ptr + 56) >>> 2]!
  }
  set bias(frames: number) {
    this.#words[(this.ptr + 56) >>> 2] = frames
  }

  get nextMapping(): Ptr {
    return this.#words[(this.ptr + 60) >>> 2]! as Ptr
  }
  set nextMapping(vma: Ptr) {
    this.#words[(this.ptr + 60) >>> 2] = vma
  }

  get previousRelative(): Ptr {
    return this.#words[(this.ptr + 72) >>> 2]! as Ptr
  }
  set previousRelative(vma: Ptr) {
    this.#words[(this.ptr + 72) >>> 2] = vma
  }

  get nextRelative(): Ptr {
    return this.#words[(this.ptr + 76) >>> 2]! as Ptr
  }
  set nextRelative(vma: Ptr) {
    this.#words[(this.ptr + 76) >>> 2] = vma
  }

  get policy(): number {
    return this.#words[(this.ptr + 68) >>> 2]!
  }
  set policy(policy: number) {
    this.#words[(this.ptr + 68) >>> 2] = policy
  }

  get name(): Ptr {
    return this.#words[(this.ptr + 64) >>> 2]! as Ptr
  }
  /** The reference is the caller's care: VmaNames. */
  set name(name: Ptr) {
    this.#words[(this.ptr + 64) >>> 2] = name
  }

  /** Whether it shows the same open file as another one. */
  hasFile(file: number): boolean {
    return ((this.file ^ file) & ~MAPPED_UNNAMED) === 0
  }

  get isMappedUnnamed(): boolean {
    return this.file >= MAPPED_UNNAMED
  }

  /** Private anonymous: no object and not the kernel's own. */
  get isAnonymous(): boolean {
    return this.object === NULL && this.special === Special.none
  }
}
