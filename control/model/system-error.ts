/** Errors of the operating system in words of one line. */

const WORDS: { readonly [code: string]: string } = {
  ENOENT: "no such file",
  ENOTDIR: "a part of the path is no directory",
  EISDIR: "a directory, expected a file",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
  EIO: "input/output error",
};

/** "no such file" for ENOENT and so on; undefined for what is no error of the operating system. */
export function systemErrorWords(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  return WORDS[String(error.code)] ?? error.message;
}
