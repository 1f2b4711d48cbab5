/** Mistakes in the shootdown and the mapper that the controlled scheduler must find, each in the scenario that shows it. */
import type { Ptr } from '../../base/numbers.js'
import type { AtomicWords } from '../../state/atomics.js'
import type { Scenario } from '../../state/testing/scenario.js'
import type { Mailboxes } from '../mailboxes.js'
import { Shootdown } from '../shootdown.js'
import { UserMapper } from '../user-mapper.js'
import {
  asking,
  COPYING,
  copying,
  crossing,
  kernelPage,
  PRUNING,
  parking,
  protecting,
  pruning,
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

interface SeededBug {
  readonly scenario: Scenario
  readonly shows: RegExp
  /** How many preemptions it takes, where it is not two. */
  readonly preemptionsMax?: number
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
    scenario: scenario('a missing flush of the kernel', kernelPage, { parts: { Shootdown: MissingFlush } }),
    shows: /stale access/,
  },
  {
    scenario: scenario('a torn entry', copying, { ...COPYING, parts: { Mapper: TornEntry } }),
    shows: /stale access/,
  },
]
