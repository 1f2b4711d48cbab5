import type { Contender } from './benchmark.js'

/** What one operation costs more than another that is a part of it; undefined when one of them cannot run here. */
export function difference(whole: Contender, part: Contender): Contender
export function difference(whole: Contender | undefined, part: Contender | undefined): Contender | undefined
export function difference(whole: Contender | undefined, part: Contender | undefined): Contender | undefined {
  if (whole === undefined || part === undefined) return undefined
  return {
    round(): void {
      whole.round()
      part.round()
    },
    best: () => whole.best() - part.best(),
  }
}
