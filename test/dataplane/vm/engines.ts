/** Every engine; whatever is tested of one is tested of all. */
import type { Engine } from "../../../dataplane/vm/engine.ts";
import { interpreter } from "../../../dataplane/vm/interpreter.ts";

export const ENGINES: readonly Engine[] = [interpreter()];
