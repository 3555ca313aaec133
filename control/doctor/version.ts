/** Kernel versions as facts have them: major and minor. */

export type Version = readonly [major: number, minor: number];

export function isBefore([major, minor]: Version, [otherMajor, otherMinor]: Version): boolean {
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
