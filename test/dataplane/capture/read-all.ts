/** What a reader gives until it ends, and the error it ends with, if any. */
import { memorySource } from "../../../dataplane/capture/byte-source.ts";
import { CaptureError } from "../../../dataplane/capture/capture-error.ts";
import {
  type CaptureReader,
  type ReaderOptions,
  readCapture,
} from "../../../dataplane/capture/capture-reader.ts";

export interface ReadResult {
  readonly packets: readonly Uint8Array[];
  readonly error: CaptureError | undefined;
}

export async function readAll(bytes: Uint8Array, options: ReaderOptions = {}): Promise<ReadResult> {
  const packets: Uint8Array[] = [];
  let reader: CaptureReader | undefined;
  try {
    reader = await readCapture(memorySource(bytes), options);
    for (let batch = await reader.nextBatch(); batch !== undefined; batch = await reader.nextBatch()) {
      for (let i = 0; i < batch.count; i++) packets.push(batch.packet(i).slice());
    }
    return { packets, error: undefined };
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    return { packets, error };
  } finally {
    await reader?.close();
  }
}
