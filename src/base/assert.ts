/** A broken invariant: a bug of Pagoda's, never a guest's fault. */
export class InvariantError extends Error {
  override name = 'InvariantError'
}

/** Messages are constants: building a string on the way costs ten times the check. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
