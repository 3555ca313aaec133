/** Why a program was not loaded: from an error number, the verifier's log and libbpf's words to one message. */
import { missingCapabilities } from "./capabilities.ts";
import { errnoName, KernelError, systemError } from "./kernel-error.ts";

/** `result` is libbpf's negative number; `log` the verifier's, "" when it was not asked; `warnings` what libbpf said. */
export function loadError(operation: string, result: number, log: string, warnings: string): KernelError {
  const errno = errnoName(result);
  const facts = { errno, log: log === "" ? undefined : log };
  if (log.trim() !== "") {
    const why = `${errno}: the kernel's verifier refuses it: ${lastLines(log)}`;
    return needsPerfmon(log)
      ? new KernelError("no-privilege", operation, why, { ...facts, remedy: PERFMON_REMEDY })
      : new KernelError("rejected", operation, why, facts);
  }
  const words = lastLines(warnings);
  const code = errno === "EINVAL" || errno === "EACCES" ? "rejected" : undefined;
  return systemError(operation, result, {
    ...(code === undefined ? {} : { code }),
    ...(words === "" ? {} : { why: words }),
  });
}

const PERFMON_REMEDY =
  "grant CAP_PERFMON as well, without which the verifier refuses arithmetic on packet pointers";

/** The verifier refuses some programs only to processes without CAP_PERFMON (kernel/bpf/verifier.c, allow_ptr_leaks, bypass_spec_v1). */
function needsPerfmon(log: string): boolean {
  const isRefusal =
    /prohibited|pointer comparison|partial copy of pointer|leaks addr|corrupt spilled pointer|speculative/i.test(
      log,
    );
  return isRefusal && missingCapabilities(["CAP_PERFMON"])?.length === 1;
}

const LINES_MAX = 3;
const LINE_LENGTH_MAX = 200;

/** The last lines that say something: the verifier ends with statistics. */
function lastLines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^(processed \d+ insns|verification time|stack depth)/.test(line))
    .slice(-LINES_MAX)
    .map((line) => line.slice(0, LINE_LENGTH_MAX))
    .join(" | ");
}
