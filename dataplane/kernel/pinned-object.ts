/**
 * The object file of a running program, kept beside it in an array, frozen. By it a later process knows what the program's options and maps
 * are, also when it comes with another object itself.
 *
 * The file's length in four bytes and the file itself, cut into elements of a page: the kernel needs memory in one piece for each value that is
 * written, which on a host that has been up for long it may not find for a whole file.
 */
import { Descriptor } from "./descriptor.ts";
import { KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { mapInfo } from "./map-info.ts";

const BPF_MAP_TYPE_ARRAY = 2;
const ELEMENT_BYTES = 4096;
const LENGTH_BYTES = 4;
const KEY_BYTES = 4;
const WHAT = "the object file";

/** Throws KernelError. */
export function storeObject(image: Uint8Array): Descriptor {
  const count = Math.ceil((LENGTH_BYTES + image.length) / ELEMENT_BYTES);
  const bytes = new Uint8Array(count * ELEMENT_BYTES);
  new DataView(bytes.buffer).setUint32(0, image.length, true);
  bytes.set(image, LENGTH_BYTES);

  const operation = `store ${WHAT}`;
  const result = libbpf().bpf_map_create(
    BPF_MAP_TYPE_ARRAY,
    "lamna_object",
    KEY_BYTES,
    ELEMENT_BYTES,
    count,
    null,
  );
  const map = Descriptor.from(result, operation, WHAT);
  try {
    for (let index = 0; index < count; index++) {
      const element = bytes.subarray(index * ELEMENT_BYTES, (index + 1) * ELEMENT_BYTES);
      const written = libbpf().bpf_map_update_elem(map.fd, keyOf(index), element, 0);
      if (written < 0) throw systemError(operation, written);
    }
    const frozen = libbpf().bpf_map_freeze(map.fd);
    if (frozen < 0) throw systemError(operation, frozen);
    return map;
  } catch (error) {
    map.close();
    throw error;
  }
}

/** Throws KernelError, "wrong-layout" when it is no such map. */
export function readStoredObject(map: Descriptor): Uint8Array {
  const operation = `read ${WHAT}`;
  const { type, valueSizeBytes, maxEntries } = mapInfo(map);
  const isOurs = type === BPF_MAP_TYPE_ARRAY && valueSizeBytes === ELEMENT_BYTES;
  const bytes = new Uint8Array(isOurs ? maxEntries * ELEMENT_BYTES : 0);
  for (let index = 0; index * ELEMENT_BYTES < bytes.length; index++) {
    const element = bytes.subarray(index * ELEMENT_BYTES, (index + 1) * ELEMENT_BYTES);
    const result = libbpf().bpf_map_lookup_elem(map.fd, keyOf(index), element);
    if (result < 0) throw systemError(operation, result);
  }
  const length = isOurs ? new DataView(bytes.buffer).getUint32(0, true) : 0;
  if (!isOurs || LENGTH_BYTES + length > bytes.length) {
    throw new KernelError("wrong-layout", operation, "what is pinned there is not one", {
      remedy: "lamna detach removes it",
    });
  }
  return bytes.slice(LENGTH_BYTES, LENGTH_BYTES + length);
}

function keyOf(index: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(index).buffer);
}
