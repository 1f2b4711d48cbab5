/** Mistakes in the shootdown and the mapper that the controlled scheduler must find, each in the scenario that shows it. */
import type { Pfn, Ptr } from '../../base/numbers.js'
import type { AtomicWords } from '../../state/atomics.js'
import { Word, wordIndex } from '../../state/layout.js'
import type { Memory } from '../../state/memory.js'
import type { SeededBug } from '../../state/testing/scenario.js'
import type { ForgettingTlbs } from '../forgetting-tlbs.js'
import type { Mailboxes } from '../mailboxes.js'
import { Shootdown } from '../shootdown.js'
import { UserMapper } from '../user-mapper.js'
import { AdversarialTlb } from './adversarial-tlb.js'
import {
  asking,
  bothSpaces,
  COPYING,
  comingBack,
  copying,
  crossing,
  kernelComingBack,
  kernelPage,
  PRUNING,
  parking,
  protecting,
  pruning,
  RECYCLING,
  scenario,
  unmapping,
} from './shootdown-scenarios.js'

class MissingFlush extends Shootdown {
  override forget(): void {}
}

class EarlyFree extends Shootdown {
  protected override awaitAnswers(): void {}
}

/** Reads its mailbox and empties it in two steps: what is posted between is lost. */
class LostWakeUp extends Shootdown {
  readonly #words: AtomicWords
  readonly #pending: (mailboxes: Mailboxes) => Ptr

  constructor(...args: ConstructorParameters<typeof Shootdown>) {
    super(...args)
    this.#words = args[0].atomics
    this.#pending = (mailboxes) => mailboxes.pending(args[1])
  }

  protected override takePending(mailboxes: Mailboxes): number {
    const pending = this.#words.load(this.#pending(mailboxes))
    this.#words.store(this.#pending(mailboxes), 0)
    return pending
  }
}

/** Frees tables as soon as nothing leads to them. */
class ForgottenWalkers extends Shootdown {
  override get hasOthers(): boolean {
    return false
  }
}

/** Catches up with its space, and not with the kernel. */
class ForgottenKernel extends Shootdown {
  readonly #tlbs: ForgettingTlbs
  readonly #memory: Memory
  readonly #self: number

  constructor(...args: ConstructorParameters<typeof Shootdown>) {
    super(...args)
    this.#tlbs = args[0].tlbs
    this.#memory = args[0].memory
    this.#self = args[1]
  }

  protected override catchUp(mailboxes: Mailboxes, root: Pfn): void {
    const { i32 } = this.#memory
    const kernelRoot = this.#memory.u32[wordIndex(Word.kernelRoot)] as Pfn
    i32[this.#tlbs.seen(this.#self, true) >>> 2] = i32[mailboxes.generation(kernelRoot) >>> 2]!
    super.catchUp(mailboxes, root)
  }
}

/** The banks of a hart share the places of their generations: who comes back does not see what the other space has missed. */
class OneGeneration extends AdversarialTlb {
  override seen(hart: number, isKernel: boolean): Ptr {
    return super.seen(hart, isKernel, 0)
  }
}

/** Gives an identifier to another space and forgets nothing. */
class UncleanRecycling extends AdversarialTlb {
  override flushBank(): void {}
}

class NoCatchingUp extends Shootdown {
  protected override catchUp(): void {}
}

/** Stores the low word first. */
class TornEntry extends UserMapper {
  protected override publish(entry: Ptr, low: number, high: number): number {
    const old = this.env.atomics.exchange(entry, low | 0) >>> 0
    this.env.atomics.store((entry + 4) as Ptr, high | 0)
    return old
  }
}

/** What must be found, and how it shows. */
export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    scenario: scenario('a missing flush', unmapping, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a missing flush of a protection', protecting, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
    preemptionsMax: 3,
  },
  {
    scenario: scenario('an early free', unmapping, { parts: { Shootdown: EarlyFree } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a lost wake-up', asking, { parts: { Shootdown: LostWakeUp } }),
    shows: /every thread waits/,
  },
  {
    scenario: scenario('a hart that waits and does not serve', crossing, { parts: { serves: false } }),
    shows: /every thread waits/,
  },
  {
    scenario: scenario('tables freed under a walk', pruning, {
      ...PRUNING,
      parts: { Shootdown: ForgottenWalkers },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a parked hart that does not catch up', parking, {
      parts: { Shootdown: NoCatchingUp },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a space come back to that is not caught up with', comingBack, {
      parts: { Shootdown: NoCatchingUp },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('one generation for all identifiers', bothSpaces, { parts: { Tlb: OneGeneration } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('the kernel, not caught up with', kernelComingBack, {
      parts: { Shootdown: ForgottenKernel },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('an identifier recycled without a flush', comingBack, {
      ...RECYCLING,
      parts: { Tlb: UncleanRecycling },
    }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a missing flush of the kernel', kernelPage, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a torn entry', copying, { ...COPYING, parts: { Mapper: TornEntry } }),
    shows: /stale access/,
  },
]
