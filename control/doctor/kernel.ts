/** Is the kernel new enough, and set up so that programs run fast? */
import type { FeatureFact, KernelFacts, KernelFeature } from "../../dataplane/kernel/kernel-facts.ts";
import { type Finding, ok, problem, unknown, warning } from "./finding.ts";
import { isBefore } from "./version.ts";

/** The oldest that Lamna is tested on. */
const OLDEST = [5, 10] as const;
/** From here on maps count against a control group's memory, before against RLIMIT_MEMLOCK. */
const MEMCG_SINCE = [5, 11] as const;
/** What the maps of the default capacity take, with room to spare. */
const MEMLOCK_BYTES_MIN = 256 * 2 ** 20;

const FEATURE_NAMES: {
  readonly [feature in KernelFeature]: { readonly words: string; readonly lost?: string };
} = {
  xdp: { words: "XDP" },
  "xdp-links": { words: "XDP links" },
  "mmapable-arrays": { words: "mmapable arrays" },
  "batch-operations": { words: "batch operations" },
  "ring-buffer": { words: "ring buffers" },
  "live-frames": { words: "live frames", lost: "only the packet rate benchmark needs them" },
  "xdp-frags": {
    words: "XDP with frames of several buffers",
    lost: "it allows for large MTUs in native mode",
  },
};

export function judgeKernel(facts: KernelFacts): Finding[] {
  return [
    judgeVersion(facts),
    ...judgeFeatures(facts.features),
    judgeJit(facts),
    ...judgeHardening(facts),
    judgeLockdown(facts),
    ...judgeMemlock(facts),
  ];
}

function judgeVersion({ release, version }: KernelFacts): Finding {
  const found = `Linux ${release}`;
  if (!isBefore(version, OLDEST)) return ok("version", found);
  return problem("version", found, `Lamna needs Linux ${OLDEST.join(".")} or later`);
}

/** Those that are there in one line; each that is missing in its own. */
function judgeFeatures(features: readonly FeatureFact[]): Finding[] {
  const there = features.filter(({ isThere }) => isThere);
  const byHow = (["tried", "types", "version"] as const).flatMap((how) => {
    const names = there.filter((fact) => fact.how === how).map(({ feature }) => FEATURE_NAMES[feature].words);
    return names.length === 0 ? [] : [`${names.join(", ")} (${HOW[how]})`];
  });
  const missing = features
    .filter(({ isThere }) => !isThere)
    .map(({ feature, since, how }): Finding => {
      const { words, lost } = FEATURE_NAMES[feature];
      const found = `no ${words} (${HOW[how]})`;
      if (lost !== undefined) return ok("features", `${found}; ${lost}`);
      return problem("features", found, `a kernel from ${since.join(".")} on has them`);
    });
  return [...(byHow.length === 0 ? [] : [ok("features", byHow.join("; "))]), ...missing];
}

const HOW: { readonly [how in FeatureFact["how"]]: string } = {
  tried: "tried",
  types: "by the kernel's types",
  version: "by its version, which is all that can be seen",
};

function judgeJit({ jit, isJitted }: KernelFacts): Finding {
  const check = "JIT";
  if (isJitted === false || jit === 0) {
    return warning(check, "off: the program is interpreted, several times slower", JIT_REMEDY);
  }
  if (jit !== undefined && jit > 1) {
    return warning(
      check,
      `net.core.bpf_jit_enable is ${jit}: every program is printed to the kernel's log`,
      JIT_REMEDY,
    );
  }
  if (isJitted === true) return ok(check, "on (tried)");
  if (jit === 1) return ok(check, "on");
  return unknown(check, "net.core.bpf_jit_enable cannot be read in this network namespace");
}

const JIT_REMEDY = "sysctl -w net.core.bpf_jit_enable=1";

/** Only root can read it; nobody misses a line that says nothing. */
function judgeHardening({ jitHarden }: KernelFacts): Finding[] {
  if (jitHarden !== 2) return [];
  return [
    warning(
      "JIT hardening",
      "net.core.bpf_jit_harden is 2: constants are blinded in privileged programs too, which costs time on every packet",
      "sysctl -w net.core.bpf_jit_harden=1 hardens the programs of others only",
    ),
  ];
}

function judgeLockdown({ lockdown }: KernelFacts): Finding {
  if (lockdown === undefined) return ok("lockdown", "not there, or not to be seen");
  return ok("lockdown", lockdown === "none" ? "none" : `${lockdown}, which allows for all that Lamna does`);
}

function judgeMemlock({ version, memlockBytes }: KernelFacts): Finding[] {
  if (!isBefore(version, MEMCG_SINCE) || memlockBytes === undefined) return [];
  const found = `at most ${memlockBytes} bytes of locked memory, which maps count as before Linux ${MEMCG_SINCE.join(".")}`;
  if (memlockBytes >= MEMLOCK_BYTES_MIN) return [ok("locked memory", found)];
  return [
    warning("locked memory", found, '"ulimit -l unlimited", or LimitMEMLOCK=infinity in a systemd unit'),
  ];
}
