/** `lamna` as a user who is nobody, on the kernel of this machine. test/kernels does the same on others. */
import { describe, test } from "vitest";
import { privilegeChecks } from "../kernels/guest/privileges.ts";
import { bpffs, lacks, libbpf, namespaces, nodeForEverybody, setpriv } from "../needs.ts";

const isSkipped = lacks("lamna without root", namespaces, setpriv, libbpf, bpffs, nodeForEverybody);

describe.skipIf(isSkipped)("lamna with few capabilities", () => {
  test.each(privilegeChecks())("$name", async ({ run }) => {
    await run();
  });
});
