/**
 * Makes allocations fail on purpose: "fail the nth", for every n, shows that each caller undoes what it had
 * done. Buddy and slab ask it once per allocation (a slab that needs a new frame asks twice).
 */
export class FaultInjector {
  #count = 0
  #failing = Number.POSITIVE_INFINITY
  #once = true

  /** The nth allocation from now fails, once; 1 is the next. */
  failAt(n: number): void {
    this.#failing = this.#count + n
    this.#once = true
  }

  /** The nth allocation from now fails, and all after it. */
  failFrom(n: number): void {
    this.#failing = this.#count + n
    this.#once = false
  }

  /** Nothing fails any more; counting starts at 0. */
  reset(): void {
    this.#count = 0
    this.#failing = Number.POSITIVE_INFINITY
  }

  /** Allocations seen since the last reset, failed ones too. */
  get count(): number {
    return this.#count
  }

  /** Asked by the allocators. */
  shouldFail(): boolean {
    this.#count++
    return this.#once ? this.#count === this.#failing : this.#count >= this.#failing
  }
}
