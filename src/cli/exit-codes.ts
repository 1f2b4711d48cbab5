/** Exit codes of the command's own, as env(1) and the shells give them. */
export const EXIT_OWN_FAILURE = 125
export const EXIT_NOT_EXECUTABLE = 126
export const EXIT_NOT_FOUND = 127

/** Why the command cannot do what it was asked: one line that says what and what to do. */
export class Refusal extends Error {
  readonly exitCode: number
  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}
