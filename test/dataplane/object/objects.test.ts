import { test } from "vitest";
import { expectFreshObjects } from "../../fresh-objects.ts";
import { clang, lacks } from "../../needs.ts";
import { OBJECTS_FOLDER } from "./test-objects.ts";

test.skipIf(lacks("the freshness of the test objects", clang))(
  "the test objects are what clang-19 makes of their sources",
  () => expectFreshObjects(OBJECTS_FOLDER),
);
