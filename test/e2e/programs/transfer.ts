/** HTTP transfers of the client program: each a connection of its own, with the digests of what went and what came. */
import { createHash } from "node:crypto";
import { type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { seededChunks, seededDigest } from "./seeded-bytes.ts";

export interface TransferTarget {
  readonly host: string;
  readonly port: number;
  /** How many at the same time. */
  readonly count: number;
  readonly uploadBytes: number;
  readonly downloadBytes: number;
  readonly seed: number;
}

export interface TransferReport {
  /** Who answered. */
  readonly backend: string;
  /** The client's address as the server sees it, and the one it was reached at. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Whether each side got the bytes that the other sent, by their SHA-256. */
  readonly isUploadWhole: boolean;
  readonly isDownloadWhole: boolean;
  readonly error: string | null;
}

const FAILED: Omit<TransferReport, "error"> = {
  backend: "",
  remoteAddress: "",
  localAddress: "",
  isUploadWhole: false,
  isDownloadWhole: false,
};

export function transferAll(target: TransferTarget): Promise<TransferReport[]> {
  return Promise.all(
    Array.from({ length: target.count }, (_, index) =>
      transfer({ ...target, seed: target.seed + index }).catch((error: unknown) => ({
        ...FAILED,
        error: error instanceof Error ? error.message : String(error),
      })),
    ),
  );
}

async function transfer(target: TransferTarget): Promise<TransferReport> {
  const { host, port, seed, uploadBytes, downloadBytes } = target;
  const outgoing = request({
    host,
    port,
    path: `/?seed=${seed}&bytes=${downloadBytes}`,
    method: "POST",
    agent: false,
    headers: { "content-length": uploadBytes },
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  const [response] = await Promise.all([answered, pipeline(seededChunks(seed, uploadBytes), outgoing)]);
  const hash = createHash("sha256");
  for await (const chunk of response) hash.update(chunk as Buffer);
  const header = (name: string): string => String(response.headers[name] ?? "");
  return {
    backend: header("x-backend"),
    remoteAddress: header("x-remote"),
    localAddress: header("x-local"),
    isUploadWhole: header("x-digest") === seededDigest(seed, uploadBytes),
    isDownloadWhole: hash.digest("hex") === seededDigest(seed, downloadBytes),
    error: null,
  };
}
