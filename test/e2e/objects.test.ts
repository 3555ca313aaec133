import { join } from "node:path";
import { test } from "vitest";
import { expectFreshObjects } from "../fresh-objects.ts";
import { clang, lacks } from "../needs.ts";

test.skipIf(lacks("the freshness of the test object", clang))(
  "the test object is what clang-19 makes of its source",
  () => expectFreshObjects(join(import.meta.dirname, "objects")),
);
