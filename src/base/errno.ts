/** Linux error numbers (include/uapi/asm-generic/errno.h). Inside Pagoda an expected failure is a *negative* one. */
export const EPERM = 1
export const ENOENT = 2
export const ESRCH = 3
export const EINTR = 4
export const EIO = 5
export const ENXIO = 6
export const E2BIG = 7
export const ENOEXEC = 8
export const EBADF = 9
export const ECHILD = 10
export const EAGAIN = 11
export const ENOMEM = 12
export const EACCES = 13
export const EFAULT = 14
export const ENOTBLK = 15
export const EBUSY = 16
export const EEXIST = 17
export const EXDEV = 18
export const ENODEV = 19
export const ENOTDIR = 20
export const EISDIR = 21
export const EINVAL = 22
export const ENFILE = 23
export const EMFILE = 24
export const ENOTTY = 25
export const ETXTBSY = 26
export const EFBIG = 27
export const ENOSPC = 28
export const ESPIPE = 29
export const EROFS = 30
export const EMLINK = 31
export const EPIPE = 32
export const EDOM = 33
export const ERANGE = 34
export const EDEADLK = 35
export const ENAMETOOLONG = 36
export const ENOLCK = 37
export const ENOSYS = 38
export const ENOTEMPTY = 39
export const ELOOP = 40
export const ENODATA = 61
export const EOVERFLOW = 75
export const ELIBBAD = 80
export const EILSEQ = 84
export const EUSERS = 87
export const ENOTSOCK = 88
export const EMSGSIZE = 90
export const EPROTOTYPE = 91
export const ENOPROTOOPT = 92
export const EPROTONOSUPPORT = 93
export const ESOCKTNOSUPPORT = 94
export const EOPNOTSUPP = 95
export const EAFNOSUPPORT = 97
export const EADDRINUSE = 98
export const ECONNRESET = 104
export const ENOBUFS = 105
export const EISCONN = 106
export const ENOTCONN = 107
export const ETOOMANYREFS = 109
export const ETIMEDOUT = 110
export const ECONNREFUSED = 111
export const EHWPOISON = 133

const TABLE: ReadonlyMap<number, readonly [name: string, message: string]> = new Map([
  [EPERM, ['EPERM', 'Operation not permitted']],
  [ENOENT, ['ENOENT', 'No such file or directory']],
  [ESRCH, ['ESRCH', 'No such process']],
  [EINTR, ['EINTR', 'Interrupted system call']],
  [EIO, ['EIO', 'Input/output error']],
  [ENXIO, ['ENXIO', 'No such device or address']],
  [E2BIG, ['E2BIG', 'Argument list too long']],
  [ENOEXEC, ['ENOEXEC', 'Exec format error']],
  [EBADF, ['EBADF', 'Bad file descriptor']],
  [ECHILD, ['ECHILD', 'No child processes']],
  [EAGAIN, ['EAGAIN', 'Resource temporarily unavailable']],
  [ENOMEM, ['ENOMEM', 'Cannot allocate memory']],
  [EACCES, ['EACCES', 'Permission denied']],
  [EFAULT, ['EFAULT', 'Bad address']],
  [ENOTBLK, ['ENOTBLK', 'Block device required']],
  [EBUSY, ['EBUSY', 'Device or resource busy']],
  [EEXIST, ['EEXIST', 'File exists']],
  [EXDEV, ['EXDEV', 'Invalid cross-device link']],
  [ENODEV, ['ENODEV', 'No such device']],
  [ENOTDIR, ['ENOTDIR', 'Not a directory']],
  [EISDIR, ['EISDIR', 'Is a directory']],
  [EINVAL, ['EINVAL', 'Invalid argument']],
  [ENFILE, ['ENFILE', 'Too many open files in system']],
  [EMFILE, ['EMFILE', 'Too many open files']],
  [ENOTTY, ['ENOTTY', 'Inappropriate ioctl for device']],
  [ETXTBSY, ['ETXTBSY', 'Text file busy']],
  [EFBIG, ['EFBIG', 'File too large']],
  [ENOSPC, ['ENOSPC', 'No space left on device']],
  [ESPIPE, ['ESPIPE', 'Illegal seek']],
  [EROFS, ['EROFS', 'Read-only file system']],
  [EMLINK, ['EMLINK', 'Too many links']],
  [EPIPE, ['EPIPE', 'Broken pipe']],
  [EDOM, ['EDOM', 'Numerical argument out of domain']],
  [ERANGE, ['ERANGE', 'Numerical result out of range']],
  [EDEADLK, ['EDEADLK', 'Resource deadlock avoided']],
  [ENAMETOOLONG, ['ENAMETOOLONG', 'File name too long']],
  [ENOLCK, ['ENOLCK', 'No locks available']],
  [ENOSYS, ['ENOSYS', 'Function not implemented']],
  [ENOTEMPTY, ['ENOTEMPTY', 'Directory not empty']],
  [ELOOP, ['ELOOP', 'Too many levels of symbolic links']],
  [ENODATA, ['ENODATA', 'No data available']],
  [EOVERFLOW, ['EOVERFLOW', 'Value too large for defined data type']],
  [ELIBBAD, ['ELIBBAD', 'Accessing a corrupted shared library']],
  [EILSEQ, ['EILSEQ', 'Invalid or incomplete multibyte or wide character']],
  [EUSERS, ['EUSERS', 'Too many users']],
  [ENOTSOCK, ['ENOTSOCK', 'Socket operation on non-socket']],
  [EMSGSIZE, ['EMSGSIZE', 'Message too long']],
  [EPROTOTYPE, ['EPROTOTYPE', 'Protocol wrong type for socket']],
  [ENOPROTOOPT, ['ENOPROTOOPT', 'Protocol not available']],
  [EPROTONOSUPPORT, ['EPROTONOSUPPORT', 'Protocol not supported']],
  [ESOCKTNOSUPPORT, ['ESOCKTNOSUPPORT', 'Socket type not supported']],
  [EOPNOTSUPP, ['EOPNOTSUPP', 'Operation not supported']],
  [EAFNOSUPPORT, ['EAFNOSUPPORT', 'Address family not supported by protocol']],
  [EADDRINUSE, ['EADDRINUSE', 'Address already in use']],
  [ECONNRESET, ['ECONNRESET', 'Connection reset by peer']],
  [ENOBUFS, ['ENOBUFS', 'No buffer space available']],
  [EISCONN, ['EISCONN', 'Transport endpoint is already connected']],
  [ENOTCONN, ['ENOTCONN', 'Transport endpoint is not connected']],
  [ETOOMANYREFS, ['ETOOMANYREFS', 'Too many references: cannot splice']],
  [ETIMEDOUT, ['ETIMEDOUT', 'Connection timed out']],
  [ECONNREFUSED, ['ECONNREFUSED', 'Connection refused']],
  [EHWPOISON, ['EHWPOISON', 'Memory page has hardware error']],
])

/** `ENOMEM` for 12 (or -12). */
export function errnoName(errno: number): string {
  return TABLE.get(Math.abs(errno))?.[0] ?? `errno ${Math.abs(errno)}`
}

/** `Cannot allocate memory` for 12 (or -12), as strerror(3) words it. */
export function errnoMessage(errno: number): string {
  return TABLE.get(Math.abs(errno))?.[1] ?? `Unknown error ${Math.abs(errno)}`
}

/** 12 for `ENOMEM`; undefined for a name that is not in the table. */
export function errnoByName(name: string): number | undefined {
  for (const [errno, [known]] of TABLE) if (known === name) return errno
  return undefined
}

/** What the public TypeScript API throws in place of a negative errno. */
export class ErrnoError extends Error {
  override name = 'ErrnoError'
  readonly errno: number
  readonly code: string
  constructor(operation: string, errno: number) {
    super(`${operation}: ${errnoName(errno)} (${errnoMessage(errno)})`)
    this.errno = Math.abs(errno)
    this.code = errnoName(errno)
  }
}
