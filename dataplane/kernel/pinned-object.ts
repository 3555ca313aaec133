/**
 * The object file of a running program, kept beside it: bytes in an array of one element, frozen. By it a later process knows what the
 * program's options and maps are, also when it comes with another object itself.
 */
import { Descriptor } from "./descriptor.ts";
import { systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { mapInfo } from "./map-info.ts";

const BPF_MAP_TYPE_ARRAY = 2;
const KEY = Uint8Array.of(0, 0, 0, 0);
const WHAT = "the object file";

/** Throws KernelError. */
export function storeObject(image: Uint8Array): Descriptor {
  const result = libbpf().bpf_map_create(
    BPF_MAP_TYPE_ARRAY,
    "lamna_object",
    KEY.length,
    image.length,
    1,
    null,
  );
  const map = Descriptor.from(result, `make a map for ${WHAT}`, WHAT);
  try {
    for (const step of [
      () => libbpf().bpf_map_update_elem(map.fd, KEY, image, 0),
      () => libbpf().bpf_map_freeze(map.fd),
    ]) {
      const code = step();
      if (code < 0) throw systemError(`store ${WHAT}`, code);
    }
    return map;
  } catch (error) {
    map.close();
    throw error;
  }
}

/** Throws KernelError. */
export function readStoredObject(map: Descriptor): Uint8Array {
  const image = new Uint8Array(mapInfo(map).valueSizeBytes);
  const result = libbpf().bpf_map_lookup_elem(map.fd, KEY, image);
  if (result < 0) throw systemError(`read ${WHAT}`, result);
  return image;
}
