import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decode, encode } from "../../../dataplane/isa/encoding.ts";

const VECTORS_URL = new URL("../../../../shared/conformance/bpf_conformance.json", import.meta.url);
interface Vector {
  readonly name: string;
  readonly hex: string;
}
const vectors: Vector[] = existsSync(VECTORS_URL) ? JSON.parse(readFileSync(VECTORS_URL, "utf8")) : [];

test.skipIf(vectors.length === 0)(
  "every vector of bpf_conformance decodes and encodes to the same bytes",
  () => {
    for (const { name, hex } of vectors) {
      const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
      expect(encode(decode(bytes, true), true), name).toEqual(bytes);
    }
  },
);
