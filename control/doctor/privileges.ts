/** May this process load, attach and pin, and has it what it takes? */
import type { PrivilegeFacts } from "../../dataplane/kernel/privilege-facts.ts";
import { type Finding, listed, ok, problem, unknown, warning } from "./finding.ts";

const NEEDED = ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"] as const;
/** Stands in for the two that were split off it in Linux 5.8. */
const IMPLIED: ReadonlySet<string> = new Set(["CAP_BPF", "CAP_PERFMON"]);

export function judgePrivileges(facts: PrivilegeFacts): Finding[] {
  return [judgeCapabilities(facts), ...judgeUserNamespace(facts), judgeLibbpf(facts), judgeBpffs(facts)];
}

function judgeCapabilities({ capabilities }: PrivilegeFacts): Finding {
  const check = "capabilities";
  const held = new Map(capabilities.map(({ name, isHeld }): [string, boolean | undefined] => [name, isHeld]));
  const isAdmin = held.get("CAP_SYS_ADMIN") === true;
  const missing = NEEDED.filter((name) => held.get(name) !== true && !(isAdmin && IMPLIED.has(name)));
  if (NEEDED.some((name) => held.get(name) === undefined)) {
    return unknown(check, "/proc/self/status does not say which this process has");
  }
  if (missing.length === 0) {
    const names = [...NEEDED, ...(isAdmin ? ["CAP_SYS_ADMIN"] : [])].filter(
      (name) => held.get(name) === true,
    );
    return ok(check, listed(names));
  }
  if (missing.length === 1 && missing[0] === "CAP_PERFMON") {
    return warning(
      check,
      "no CAP_PERFMON, without which the verifier refuses the program, as it compares and subtracts packet pointers",
      "grant CAP_PERFMON beside CAP_BPF and CAP_NET_ADMIN",
    );
  }
  return warning(
    check,
    `this process has no ${listed(missing)}, without which it could not attach`,
    `run as root, or grant ${listed(NEEDED)}`,
  );
}

function judgeUserNamespace({ isInUserNamespace }: PrivilegeFacts): Finding[] {
  if (!isInUserNamespace) return [];
  return [
    problem(
      "user namespace",
      "this process is in one, whose capabilities do not count for BPF",
      "run on the host itself, or in a container that is privileged and shares the host's user namespace",
    ),
  ];
}

function judgeLibbpf({ libbpf }: PrivilegeFacts): Finding {
  if (libbpf.isThere) return ok("libbpf", `version ${libbpf.version}`);
  return problem("libbpf", libbpf.why, libbpf.remedy ?? "install libbpf 1.0 or later");
}

function judgeBpffs({ bpffs: { path, isBpffs, isWritable }, isRoot }: PrivilegeFacts): Finding {
  const check = "BPF file system";
  if (!isBpffs) {
    return problem(
      check,
      `${path} is in none, so that nothing can be pinned and forwarding would end with the process`,
      "mount one (mount -t bpf bpf /sys/fs/bpf), or name a directory in one with --pin-dir",
    );
  }
  if (isWritable) return ok(check, `${path}, writable`);
  return warning(
    check,
    `${path}, not writable for this ${isRoot ? "process" : "user"}`,
    "run as its owner, or give this user a directory in it and name it with --pin-dir",
  );
}
