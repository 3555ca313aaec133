/** `--pin-dir`, which attach, detach and status share. */
import { Option } from "commander";

export const DEFAULT_PIN_DIRECTORY = "/sys/fs/bpf/lamna";

/** How long one command waits for another that changes the same instance. */
export const LOCK_WAIT_MS = 5000;

export function pinDirectoryOption(): Option {
  return new Option("--pin-dir <dir>", "directory in a BPF file system that keeps the instance").default(
    DEFAULT_PIN_DIRECTORY,
  );
}
