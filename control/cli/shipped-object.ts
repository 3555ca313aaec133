/** The objects that come with the package. */
import { readFileSync } from "node:fs";
import { readObject } from "../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { packageFile } from "../package-root.ts";

export function readShippedObject(): ObjectSpec {
  return readObject(readFileSync(packageFile("dataplane", "xdp", "balancer.bpf.o")));
}

/** The backend's side. */
export function readShippedDecapObject(): ObjectSpec {
  return readObject(readFileSync(packageFile("dataplane", "decap", "decap.bpf.o")));
}
