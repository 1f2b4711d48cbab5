import type { Pfn } from '../base/numbers.js'
import type { PagingEnv } from './paging-env.js'
import { UserMapper } from './user-mapper.js'

/**
 * Gives a mapper for the root of an address space: the last one again when it is the same root, because one call asks
 * several times and making a mapper costs more than a walk. A mapper is a view: who asks twice may get the same.
 */
export class UserMappers {
  readonly #env: PagingEnv
  #last: UserMapper | undefined

  constructor(env: PagingEnv) {
    this.#env = env
  }

  of(root: Pfn): UserMapper {
    const last = this.#last
    if (last !== undefined && last.root === root) return last
    const mapper = new UserMapper(this.#env, root)
    this.#last = mapper
    return mapper
  }
}
