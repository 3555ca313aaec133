/** Reading our object file: ELF, BTF, relocations. */
import { readFileSync } from "node:fs";
import { packageFile } from "../control/package-root.ts";
import { readObject } from "../dataplane/object/read-object.ts";
import type { Suite } from "./suite.ts";

export function objectSuite(): Suite {
  const file = readFileSync(packageFile("dataplane", "xdp", "balancer.bpf.o"));
  return {
    name: "read an object file",
    goal: "no goal",
    tasks: [
      { name: "balancer.bpf.o", run: () => readObject(file), amount: { count: file.length, unit: "byte" } },
    ],
  };
}
