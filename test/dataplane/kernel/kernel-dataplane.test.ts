import { describe } from "vitest";
import { openKernel } from "../../../dataplane/kernel/kernel-dataplane.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { describePort } from "../port-contract.ts";

const isSkipped = lacks("the kernel dataplane", root, libbpf);

describe.skipIf(isSkipped)("in this kernel", () => {
  describePort("the kernel", openKernel);
});
