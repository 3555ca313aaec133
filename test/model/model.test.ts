/** The model against what is known from elsewhere, so that it cannot be wrong together with the program. */
import { expect, test } from "vitest";
import { stringify } from "yaml";
import type { Config } from "../../control/model/config.ts";
import { parseConfig } from "../../control/model/config-file.ts";
import { ethernet, ipv4, ipv6, tcp, udp } from "../packets/frame.ts";
import { TCP_ACK, TCP_SYN } from "../packets/tcp.ts";
import { Model } from "./model.ts";
import { ModelVip } from "./vip-set.ts";

interface Backend {
  readonly address: string;
  readonly state?: string;
}

function configOf(backends: readonly Backend[], address = "10.200.1.1"): Config {
  const vips = [{ address, port: 80, protocol: "tcp", backends }];
  return parseConfig(stringify({ version: 1, settings: { gatewayMac: "00:00:de:ad:be:af" }, vips }), {
    file: "test.yaml",
  });
}

function segment(flags: number, source = "192.168.1.1", sourcePort = 31337): Uint8Array {
  return ethernet(
    {},
    ipv4({ source, destination: "10.200.1.1" }, tcp({ sourcePort, targetPort: 80, flags })),
  );
}

function hex(frame: Uint8Array, start: number, end: number): string {
  return Buffer.from(frame.subarray(start, end)).toString("hex");
}

test("the outer source of 192.168.1.1:31337 is 172.16.104.123 over IPv4, as Katran's", () => {
  const { frame } = new Model(configOf([{ address: "10.0.0.1" }])).process({
    frame: segment(TCP_SYN),
    tick: 0,
  });
  expect(hex(frame, 14, 34)).toBe("4500003c0000000040045c32" + "ac10687b" + "0a000001");
});

test("the outer source of 192.168.1.1:31337 is 100::bac1:101 over IPv6, as Katran's", () => {
  const { frame } = new Model(configOf([{ address: "fc00::1" }])).process({
    frame: segment(TCP_SYN),
    tick: 0,
  });
  expect(hex(frame, 14, 38)).toBe("6000000000280440" + "0100000000000000" + "00000000bac10101");
});

test("a flow stays with its backend while others come and go, and leaves it when it goes down", () => {
  const both = configOf([{ address: "10.0.0.1" }, { address: "10.0.0.2" }]);
  const model = new Model(both);
  const first = model.process({ frame: segment(TCP_SYN), tick: 0 }).backend!;
  const other = first === "10.0.0.1" ? "10.0.0.2" : "10.0.0.1";
  const send = (tick: number) => {
    const { reason, backend } = model.process({ frame: segment(TCP_ACK), tick });
    return `${reason} ${backend}`;
  };
  expect(send(1)).toBe(`flow_hit ${first}`);
  model.apply(configOf([{ address: first, state: "draining" }, { address: other }]));
  expect(send(2)).toBe(`flow_hit ${first}`);
  model.apply(configOf([{ address: first, state: "down" }, { address: other }]));
  expect(send(3)).toBe(`flow_new ${other}`);
  model.apply(configOf([{ address: first }]));
  expect(send(4)).toBe(`flow_new ${first}`);
  model.apply(configOf([{ address: first }], "10.200.1.9"));
  expect(send(5)).toBe("not_vip undefined");
  model.apply(both);
  expect(send(6)).toMatch("flow_new");
});

test("deciding changes nothing", () => {
  const model = new Model(configOf([{ address: "10.0.0.1" }]));
  expect(model.decide({ frame: segment(TCP_ACK), tick: 0 }).reason).toBe("flow_new");
  expect(model.decide({ frame: segment(TCP_ACK), tick: 0 }).reason).toBe("flow_new");
  model.process({ frame: segment(TCP_ACK), tick: 0 });
  expect(model.decide({ frame: segment(TCP_ACK), tick: 0 }).reason).toBe("flow_hit");
  expect(model.decide({ frame: segment(TCP_ACK), tick: 0 }, { flow: true }).reason).toBe("flow_new");
  expect(model.decide({ frame: segment(TCP_ACK), tick: 0 }).reason).toBe("flow_hit");
});

test("CPUs remember for themselves", () => {
  const model = new Model(configOf([{ address: "10.0.0.1" }]));
  model.process({ frame: segment(TCP_ACK), tick: 0, cpu: 1 });
  expect(model.process({ frame: segment(TCP_ACK), tick: 0, cpu: 0 }).reason).toBe("flow_new");
  expect(model.process({ frame: segment(TCP_ACK), tick: 0, cpu: 1 }).reason).toBe("flow_hit");
});

test("clients spread over backends by weight", () => {
  const vip = new ModelVip(configOf([{ address: "10.0.0.1" }, { address: "10.0.0.2" }]).vips[0]!);
  const counts = new Map<string, number>();
  for (let port = 0; port < 20000; port++) {
    const tuple = { source: Uint8Array.of(192, 0, 2, port & 0xff), sourcePort: port, targetPort: 80 };
    const backend = String(vip.ringBackend(tuple, 33554944));
    counts.set(backend, (counts.get(backend) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["10,0,0,1", "10,0,0,2"]);
  for (const count of counts.values()) expect(count / 20000).toBeCloseTo(0.5, 1);
});

test("ICMP errors about a flow find its backend, whoever sends them", () => {
  const model = new Model(
    configOf([{ address: "10.0.0.1" }, { address: "10.0.0.2" }, { address: "10.0.0.3" }]),
  );
  for (let port = 1; port < 50; port++) {
    const flow = model.process({ frame: segment(TCP_SYN, "192.168.1.1", port), tick: 0 });
    const quote = ipv4(
      { source: "10.200.1.1", destination: "192.168.1.1" },
      tcp({ sourcePort: 80, targetPort: port }),
    );
    const error = ethernet(
      {},
      ipv4(
        { source: "203.0.113.1", destination: "10.200.1.1" },
        { protocol: 1, emit: () => Uint8Array.of(3, 4, 0, 0, 0, 0, 5, 120, ...quote) },
      ),
    );
    const sent = model.process({ frame: error, tick: 0 });
    expect([sent.reason, sent.backend]).toEqual(["icmp_error", flow.backend]);
    // The same outer header, but for length and checksum.
    expect(hex(sent.frame, 26, 34)).toBe(hex(flow.frame, 26, 34));
  }
});

test("what is not for anybody passes unchanged", () => {
  const model = new Model(configOf([{ address: "10.0.0.1" }]));
  for (const frame of [
    ethernet({}, ipv4({ source: "1.1.1.1", destination: "9.9.9.9" }, udp({ sourcePort: 1, targetPort: 2 }))),
    ethernet({}, ipv6({ source: "::1", destination: "::2" }, udp({ sourcePort: 1, targetPort: 2 }))),
  ]) {
    const { verdict, reason, frame: out } = model.process({ frame, tick: 0 });
    expect([verdict, reason]).toEqual(["pass", "not_vip"]);
    expect(out).toBe(frame);
  }
});
