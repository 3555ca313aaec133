/** What libbpf says about a failure, beside an error number: it would print it to standard error, and never does here. */
import { libbpf } from "./libbpf.ts";
import { libc } from "./libc.ts";
import { koffi, type Pointer } from "./native.ts";

export interface LibbpfMessage {
  /** enum libbpf_print_level (libbpf.h). */
  readonly level: "warn" | "info" | "debug";
  readonly text: string;
}

/** Bounds what one call can make us keep; libbpf's own messages are lines, the verifier's log comes another way. */
const MESSAGES_MAX = 1000;
const MESSAGE_SIZE_MAX_BYTES = 4096;
const LEVELS = ["warn", "info", "debug"] as const;

let callback: Pointer | undefined;
/** Where messages go now; undefined outside of a call. */
let sink: LibbpfMessage[] | undefined;

/**
 * Runs `use` and adds to `messages` what libbpf says meanwhile, debug messages left out. The callback is set for the length of the call only, as libbpf's is
 * one for the process while ours belongs to a thread.
 */
export function withLibbpfMessages<T>(messages: LibbpfMessage[], use: () => T): T {
  const outer = sink;
  sink = messages;
  libbpf().libbpf_set_print(callbackAddress());
  try {
    return use();
  } finally {
    sink = outer;
    if (outer === undefined) libbpf().libbpf_set_print(null);
  }
}

/** The warnings, as one text. */
export function warningsOf(messages: readonly LibbpfMessage[]): string {
  return messages
    .filter(({ level }) => level === "warn")
    .map(({ text }) => text.replace(/^libbpf: /, "").trim())
    .join("\n");
}

/** `int print(enum libbpf_print_level level, const char *format, va_list arguments)`. A va_list comes as an address on x86-64 and arm64. */
function callbackAddress(): Pointer {
  if (callback !== undefined) return callback;
  const type = koffi().proto("int", ["int", "void *", "void *"]);
  callback = koffi().register(onMessage, koffi().pointer(type));
  return callback;
}

function onMessage(level: number, format: Pointer, list: Pointer): number {
  const name = LEVELS[level];
  if (sink === undefined || name === undefined || name === "debug" || sink.length >= MESSAGES_MAX) return 0;
  const bytes = Buffer.alloc(MESSAGE_SIZE_MAX_BYTES);
  const length = libc().vsnprintf(bytes, bytes.length, format, list);
  sink.push({
    level: name,
    text: bytes.toString("utf8", 0, Math.max(0, Math.min(length, bytes.length - 1))),
  });
  return length;
}
