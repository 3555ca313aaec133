/**
 * Changes to an instance's pins, cut off at every place where a process can die: each time what comes next finds the old instance or the
 * new one, whole, and never anything that is neither.
 */
import { existsSync, renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { libc } from "../../../dataplane/kernel/libc.ts";
import { attachXdp, type XdpLink } from "../../../dataplane/kernel/link.ts";
import { PinLayout } from "../../../dataplane/kernel/pin-layout.ts";
import { listPins, removePins } from "../../../dataplane/kernel/pins.ts";
import { programInfo } from "../../../dataplane/kernel/program-info.ts";
import { queryXdp } from "../../../dataplane/kernel/xdp-state.ts";
import { bpffs, lacks, libbpf as libbpfNeed, namespaces, root } from "../../needs.ts";
import { loadBare } from "./bare-program.ts";
import { Namespaces } from "./namespaces.ts";

describe.skipIf(lacks("pinned instances", root, libbpfNeed, bpffs, namespaces))("pinned instances", () => {
  const spaces = new Namespaces("layout");
  const directory = `/sys/fs/bpf/lamna-test-layout-${process.pid}`;
  const layout = new PinLayout(directory);
  let count = 0;
  let space = "";
  afterEach(() => {
    layout.remove();
    removePins(directory);
  });

  /** An instance with a program, two maps and two interfaces, of which one has a dot in its name. */
  function instance(name: string): { readonly program: number; readonly links: readonly string[] } {
    space = `n${count++}`;
    spaces.add(space);
    spaces.addVeth([space, "e0"], [space, "e1.100"]);
    const change = changeTo(name);
    const links = new Map<string, XdpLink>(
      ["e0", "e1.100"].map((device) => [device, spaces.inside(space, () => attach(change.program, device))]),
    );
    layout.stage({ ...change, links });
    expect(layout.settle()).toBe("completed");
    const program = programInfo(change.program).id;
    close([...change.maps.values(), change.object, change.program, ...links.values()]);
    return { program, links: [...links.keys()] };
  }

  function changeTo(name: string): {
    program: Descriptor;
    object: Descriptor;
    maps: Map<string, Descriptor>;
  } {
    return {
      program: loadBare(name),
      object: array(`${name}_object`),
      maps: new Map([
        ["_rodata", array(`${name}_rodata`)],
        ["flows_cpu0", array(`${name}_flows`)],
      ]),
    };
  }

  test("are whole once they are settled", () => {
    const { program } = instance("first");
    expect(layout.hasInstance).toBe(true);
    expect(layout.isInterrupted).toBe(false);
    expect(layout.listLinks()).toEqual(["e0", "e1.100"]);
    expect(listPins(directory).sort()).toEqual(["links", "maps", "object", "program"]);
    expect(listPins(join(directory, "links")).sort()).toEqual(["e0", "e1%2E100"]);
    expect(programsOnInterfaces()).toEqual([program, program]);
    expect(state()).toEqual({
      program: "first",
      maps: ["first_flows", "first_rodata"],
      object: "first_object",
    });
    expect(layout.settle()).toBe("clean");
  });

  test("a change before its program is pinned has never been", () => {
    const { program } = instance("first");
    const change = changeTo("second");
    layout.stage({ ...change, links: new Map() });
    unlinkSync(join(directory, "next/program"));
    close([...change.maps.values(), change.object, change.program]);
    expect(state()).toMatchObject({ program: "first" });
    expect(layout.settle()).toBe("discarded");
    expect(state()).toEqual({
      program: "first",
      maps: ["first_flows", "first_rodata"],
      object: "first_object",
    });
    expect(programsOnInterfaces()).toEqual([program, program]);
    expect(existsSync(join(directory, "next"))).toBe(false);
  });

  // What completing a change does, one step after another.
  const STEPS = ["update e0", "maps/_rodata", "maps/flows_cpu0", "object", "program"];

  test.for(STEPS.map((_, done) => done))(
    "a change that ends after %i steps is completed by whoever comes next",
    (done) => {
      instance("first");
      const change = changeTo("second");
      layout.stage({ ...change, links: new Map() });
      const second = programInfo(change.program).id;
      for (const step of STEPS.slice(0, done)) {
        if (!step.startsWith("update ")) {
          renameSync(join(directory, "next", step), join(directory, step));
          continue;
        }
        const link = layout.openLink("e0");
        const first = loadedAt(join(directory, "program"));
        link.update(change.program, first);
        close([link, first]);
      }
      close([...change.maps.values(), change.object, change.program]);

      const whole = { program: "second", maps: ["second_flows", "second_rodata"], object: "second_object" };
      expect(state()).toEqual(whole); // so it is seen before anybody completes it
      expect(layout.settle()).toBe("completed");
      expect(state()).toEqual(whole);
      expect(programsOnInterfaces()).toEqual([second, second]);
      expect(listPins(directory).sort()).toEqual(["links", "maps", "object", "program"]);
    },
  );

  test("a new instance that was not whole leaves nothing, and takes its links along", () => {
    space = `n${count++}`;
    spaces.add(space);
    spaces.addVeth([space, "e0"], [space, "e1.100"]);
    const change = changeTo("first");
    const link = spaces.inside(space, () => attach(change.program, "e0"));
    layout.stage({ ...change, links: new Map([["e0", link]]) });
    unlinkSync(join(directory, "next/program"));
    close([...change.maps.values(), change.object, change.program, link]);
    expect(programsOnInterfaces()[0]).not.toBe(0);
    expect(layout.hasInstance).toBe(false);
    expect(layout.settle()).toBe("discarded");
    expect(programsOnInterfaces()).toEqual([0, 0]);
    expect(listPins(directory)).toEqual([]);
  });

  test("a program that somebody else put there is not replaced", () => {
    instance("first");
    const other = loadBare("other");
    const link = layout.openLink("e0");
    const first = layout.openProgram();
    link.update(other, first);
    const change = changeTo("second");
    const again = { ...change, links: new Map<string, XdpLink>() };
    expect(() => layout.stage(again)).toThrow(
      expect.objectContaining({
        code: "busy",
        message: expect.stringMatching(/"other"\) runs there.*detach e0/),
      }),
    );
    expect(layout.settle()).toBe("clean");
    expect(state()).toMatchObject({ program: "first" });
    expect(programsOnInterfaces()[0]).toBe(programInfo(other).id);
    layout.removeLink("e0");
    layout.stage(again);
    expect(layout.settle()).toBe("completed");
    expect(programsOnInterfaces()).toEqual([0, programInfo(change.program).id]);
    close([other, link, first, ...change.maps.values(), change.object, change.program]);
  });

  test("an interface that was deleted does not keep the others from a new program", () => {
    instance("first");
    spaces.ip(space, "link", "del", "e0"); // and with it its peer
    const change = changeTo("second");
    layout.stage({ ...change, links: new Map() });
    expect(layout.settle()).toBe("completed");
    expect(state()).toMatchObject({ program: "second" });
    close([...change.maps.values(), change.object, change.program]);
  });

  test("one link can be taken off, and the rest", () => {
    const { program } = instance("first");
    layout.removeLink("e1.100");
    layout.removeLink("e1.100");
    expect(layout.listLinks()).toEqual(["e0"]);
    expect(programsOnInterfaces()).toEqual([program, 0]);
    layout.remove();
    expect(programsOnInterfaces()).toEqual([0, 0]);
    expect(existsSync(directory)).toBe(false);
    expect(layout.settle()).toBe("clean");
  });

  test("what a removal left behind is no instance", () => {
    instance("first");
    unlinkSync(join(directory, "program"));
    expect(layout.hasInstance).toBe(false);
    expect(layout.settle()).toBe("discarded");
    expect(programsOnInterfaces()).toEqual([0, 0]);
    expect(listPins(directory)).toEqual([]);
    expect(() => layout.openProgram()).toThrow(expect.objectContaining({ code: "not-found" }));
  });

  function attach(program: Descriptor, name: string): XdpLink {
    return attachXdp(program, { name, ifindex: libc().if_nametoindex(name) }, "generic").link;
  }

  /** 0: none. */
  function programsOnInterfaces(): number[] {
    return spaces.inside(space, () =>
      ["e0", "e1.100"].map((name) => queryXdp({ name, ifindex: libc().if_nametoindex(name) }).programId),
    );
  }

  /** What a reader finds, by the names that the kernel knows. */
  function state(): { program: string; maps: string[]; object: string } {
    const handles = [
      layout.openProgram(),
      layout.openObject(),
      layout.openMap("flows_cpu0"),
      layout.openMap("_rodata"),
    ] as const;
    const [program, object, ...maps] = handles;
    const found = {
      program: programInfo(program).name,
      object: mapName(object),
      maps: maps.map(mapName),
    };
    close([...handles]);
    return found;
  }

  function loadedAt(path: string): Descriptor {
    return Descriptor.from(libbpf().bpf_obj_get(path), `open ${path}`, path);
  }

  function close(handles: readonly { close(): void }[]): void {
    for (const handle of handles) handle.close();
  }
});

function array(name: string): Descriptor {
  return Descriptor.from(libbpf().bpf_map_create(2, name, 4, 8, 1, null), `create map "${name}"`, name);
}

/** struct bpf_map_info: the name is at 24. */
function mapName(map: Descriptor): string {
  const info = new Uint8Array(40);
  expect(libbpf().bpf_obj_get_info_by_fd(map.fd, info, Uint32Array.of(info.length))).toBe(0);
  return Buffer.from(info.subarray(24)).toString("latin1").replace(/\0.*$/s, "");
}
