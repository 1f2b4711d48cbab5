/** In which order test files run. */
import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Those that take more than ten seconds, the longest first: one that begins late runs alone in the end, on one processor of two. */
export const LONGEST = [
  'test/programs.test.ts',
  'test/software.test.ts',
  'test/package.test.ts',
  'src/paging/shootdown.explore.test.ts',
  'src/fault/collapse.explore.test.ts',
  'src/fault/fault.explore.test.ts',
  'test/vma-oracle.test.ts',
  'test/translated-programs.test.ts',
  'src/fault/reclaim.explore.test.ts',
  'test/suites.test.ts',
  'src/slab/locks.explore.test.ts',
  'src/slab/allocators.explore.test.ts',
  'test/edge-calls.test.ts',
]

/** Vitest begins with the largest files as long as it has not measured them, which in a fresh clone it never has. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.indexOf(relative(this.ctx.config.root, moduleId))
      return at < 0 ? LONGEST.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
