/** What uname(2) and /proc/version call the kernel: whose behaviour Pagoda follows, and who it is. */
export const LINUX_RELEASE = '6.12.0-pagoda'
/** The same for programs of personality UNAME26, which cannot live with a higher first number (override_release). */
export const LINUX_RELEASE_26 = '2.6.72-pagoda'
