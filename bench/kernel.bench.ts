/** What it costs to get the program and its maps into the kernel. */
import type { LoadRequest } from "../dataplane/dataplane.ts";
import { openKernel } from "../dataplane/kernel/kernel-dataplane.ts";
import { ring as ringCodec } from "../dataplane/xdp/generated/balancer.ts";
import { kernelRequest, openKernelBalancer, requireKernel } from "./kernel-balancer.ts";
import type { BenchTask, Suite } from "./suite.ts";

const BACKENDS = "backends: [{address: 10.0.0.1}]";
const DEFAULTS = `
version: 1
settings: {gatewayMac: "02:00:00:00:00:01"}
vips: [{address: 10.200.1.1, port: 80, protocol: tcp, ${BACKENDS}}]
`;
/** Every feature on, and every setting that makes the program do more. */
const EVERYTHING = `
version: 1
settings: {gatewayMac: "02:00:00:00:00:01", scope: all, fragments: balance, ipOptions: balance, tooBig: icmp, echoReply: any}
vips: [{address: 10.200.1.1, port: 0, protocol: tcp, ${BACKENDS}}]
`;

/** Ring 0 is none, and ring 1 the VIP's. */
const FIRST_FREE_RING = 2;

export async function kernelSuite(): Promise<Suite> {
  requireKernel();
  const balancer = await openKernelBalancer(DEFAULTS);
  const slots = new Uint8Array(ringCodec.sizeBytes).fill(1);
  const rings = balancer.map("rings");
  // One after another, since a ring that is about to be written is in no cache.
  let ring = FIRST_FREE_RING;
  return {
    name: "the program in the kernel",
    goal: "goal: load 300 ms, with all features 500 ms; a ring of 65537 slots 200 µs",
    tasks: [
      loading("load, default features", kernelRequest(DEFAULTS)),
      loading("load, all features", kernelRequest(EVERYTHING)),
      {
        name: "write a ring of 65537 slots",
        run: () => {
          rings.write(ring, slots);
          ring = ring + 1 < rings.maxEntries ? ring + 1 : FIRST_FREE_RING;
        },
      },
    ],
    close: () => balancer.close(),
  };
}

/** Verifier, JIT and the maps of the default capacity. */
function loading(name: string, request: LoadRequest): BenchTask {
  let opened: Awaited<ReturnType<typeof openKernel>> | undefined;
  return {
    name,
    run: async () => {
      opened = await openKernel(request);
    },
    afterEach: () => opened?.close(),
  };
}
