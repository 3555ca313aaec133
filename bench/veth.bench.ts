/**
 * Packets per second of live frames over a veth pair on one core, generator, program and sink together, beside the least that any program
 * on the way costs: XDP_TX and nothing else. `--object FILE` measures another object in the same run.
 */
import type { Descriptor } from "../dataplane/kernel/descriptor.ts";
import { openForeignObject } from "./foreign-object.ts";
import { openKernelBalancer, requireKernel } from "./kernel-balancer.ts";
import type { BenchTask, Suite, SuiteOptions } from "./suite.ts";
import { loadProgram, type Traffic, VethLine } from "./veth-line.ts";
import { bounce, FRAME_BYTES } from "./veth-programs.ts";
import { BALANCER_CONFIG, IPV4_FRAME, IPV6_FRAME } from "./veth-traffic.ts";

const FRAMES = 200_000;

export async function vethSuite({ object }: SuiteOptions): Promise<Suite> {
  requireKernel();
  const line = new VethLine();
  try {
    const balancer = await openKernelBalancer(BALANCER_CONFIG);
    const foreign = object === undefined ? undefined : await openForeignObject(object);
    const measure = (
      name: string,
      program: Descriptor,
      traffic: Traffic & { readonly backBytes?: number },
    ): BenchTask => {
      let link: Descriptor | undefined;
      return {
        name,
        beforeTurn: () => {
          line.configure(traffic);
          link = line.attach(program);
          // Every flow is known before any is measured.
          line.send(FRAMES, traffic.backBytes);
        },
        run: () => line.send(FRAMES, traffic.backBytes),
        afterTurn: () => link?.close(),
        amount: { count: FRAMES, unit: "packet" },
      };
    };
    return {
      name: `live frames of ${FRAME_BYTES} bytes over veth, one core`,
      goal: "goal: 2.8 million packets/s where a bare XDP_TX makes 3.3: at most 1.18 times its time a packet",
      tasks: [
        measure("bare XDP_TX", loadProgram("bounce", bounce()), {
          frame: IPV4_FRAME,
          flows: 1,
          backBytes: FRAME_BYTES,
        }),
        measure("balancer, IPv4, 1 flow", balancer.program, {
          frame: IPV4_FRAME,
          flows: 1,
          backBytes: FRAME_BYTES + 20,
        }),
        measure("balancer, IPv4, 1024 flows", balancer.program, {
          frame: IPV4_FRAME,
          flows: 1024,
          backBytes: FRAME_BYTES + 20,
        }),
        measure("balancer, IPv4, 65536 flows", balancer.program, {
          frame: IPV4_FRAME,
          flows: 65536,
          backBytes: FRAME_BYTES + 20,
        }),
        measure("balancer, IPv6, 1024 flows", balancer.program, {
          frame: IPV6_FRAME,
          flows: 1024,
          backBytes: FRAME_BYTES + 40,
        }),
        ...(foreign === undefined
          ? []
          : [
              measure(`${foreign.name}, IPv4, 1024 flows`, foreign.program, {
                frame: IPV4_FRAME,
                flows: 1024,
              }),
            ]),
      ],
      baseline: "bare XDP_TX",
      close: async () => {
        line.close();
        foreign?.close();
        await balancer.close();
      },
    };
  } catch (error) {
    line.close();
    throw error;
  }
}
