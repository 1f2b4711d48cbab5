/** Negative errno numbers with the type of a result: they keep unions like `Dentry | number` readable. */
import { ENOENT, EPERM } from '../../base/errno.js'

export function notFound(): number {
  return -ENOENT
}

export function notPermitted(): number {
  return -EPERM
}
