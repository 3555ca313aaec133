/**
 * Error numbers that map operations return, negated, as Linux does (include/uapi/asm-generic/errno-base.h, errno.h; ENOTSUPP,
 * which never was meant to leave the kernel but does, is from include/linux/errno.h).
 */
export const ENOENT = 2;
export const E2BIG = 7;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOSPC = 28;
export const EPERM = 1;
export const EBADF = 9;
export const EOVERFLOW = 75;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const ENOTSUPP = 524;

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries({
    ENOENT,
    E2BIG,
    EAGAIN,
    ENOMEM,
    EACCES,
    EFAULT,
    EEXIST,
    ENODEV,
    EINVAL,
    ENOSPC,
    EPERM,
    EBADF,
    EOVERFLOW,
    EOPNOTSUPP,
    EAFNOSUPPORT,
    ENOTSUPP,
  }).map(([name, value]) => [value, name]),
);

/** "-ENOENT" for -2; the bare number when it has no name here. */
export function errnoName(result: number): string {
  const name = NAMES.get(Math.abs(result));
  return name === undefined ? String(result) : `${result < 0 ? "-" : ""}${name}`;
}
