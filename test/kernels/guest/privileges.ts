/**
 * `lamna` as a user who is nobody, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or with less. These checks run in the guests, and on the
 * kernel of this machine (test/e2e/least-privilege.test.ts).
 */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { DoctorReport } from "../../../control/model/doctor-report.ts";
import type { StatusReport } from "../../../control/model/status-report.ts";
import type { Check } from "./check.ts";
import { type GrantedCapability, UnprivilegedHost, type UnprivilegedRun } from "./unprivileged-host.ts";

const ALL: readonly GrantedCapability[] = ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"];
const WITHOUT_PERFMON: readonly GrantedCapability[] = ["CAP_BPF", "CAP_NET_ADMIN"];
const DATAGRAMS = 20;

export function privilegeChecks(): Check[] {
  return [
    {
      name: "nobody, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, attaches, forwards, changes and detaches",
      run: () => withHost(attachChangeDetach),
    },
    {
      name: "nobody, with these, runs lamna replay --engine kernel",
      run: () => withHost(replay),
    },
    {
      name: "without CAP_PERFMON, attach and doctor say that it is wanted",
      run: () => withHost(attachWithoutPerfmon),
    },
    {
      name: "without any, attach names those that are missing, and leaves nothing",
      run: () => withHost(attachWithout),
    },
  ];
}

function withHost(use: (host: UnprivilegedHost) => void): void {
  const host = new UnprivilegedHost();
  try {
    use(host);
  } finally {
    host.close();
  }
}

function attachChangeDetach(host: UnprivilegedHost): void {
  const attach = (config: string): unknown =>
    JSON.parse(success(host.lamnaWithPins(ALL, "attach", "e0", "--config", config, "--json")));
  const status = (): StatusReport =>
    JSON.parse(success(host.lamnaWithPins(ALL, "status", "--json"))) as StatusReport;

  attach(host.config({ backend: "10.8.0.2" }));
  ok(host.isAttached);
  host.sendToVip(DATAGRAMS);
  const first = status();
  equal(first.backends[0]?.address, "10.8.0.2");
  equal(first.backends[0]?.packets, DATAGRAMS);
  // A map is changed; then a setting of the program, which is loaded anew.
  attach(host.config({ backend: "10.8.0.3" }));
  deepEqual(
    status().backends.map(({ address }) => address),
    ["10.8.0.3"],
  );
  attach(host.config({ backend: "10.8.0.3", echoReply: "any" }));
  const third = status();
  ok(third.program?.id !== first.program?.id);
  equal(third.interfaces[0]?.name, "e0");
  success(host.lamnaWithPins(ALL, "detach"));
  equal(host.isAttached, false);
  deepEqual(host.pins, []);
}

function replay(host: UnprivilegedHost): void {
  const fixture = (file: string): string => host.fixture("4in4", file);
  success(
    host.lamna(
      ALL,
      ...["replay", "--engine", "kernel", "--config", fixture("config.yaml")],
      ...["--in", fixture("in.pcapng"), "--expect", fixture("out.pcapng")],
    ),
  );
}

function attachWithoutPerfmon(host: UnprivilegedHost): void {
  const doctor = host.lamnaWithPins(WITHOUT_PERFMON, "doctor", "e0", "--json");
  const { groups } = JSON.parse(doctor.stdout) as DoctorReport;
  const capabilities = groups
    .flatMap(({ findings }) => findings)
    .find(({ check }) => check === "capabilities");
  equal(capabilities?.state, "warning");
  match(capabilities?.found ?? "", /CAP_PERFMON/);

  const run = host.lamnaWithPins(
    WITHOUT_PERFMON,
    "attach",
    "e0",
    "--config",
    host.config({ backend: "10.8.0.2" }),
  );
  ok(run.status !== 0, "attach succeeds");
  match(run.stderr, /grant CAP_PERFMON/);
  equal(host.isAttached, false);
  deepEqual(host.pins, []);
}

function attachWithout(host: UnprivilegedHost): void {
  const run = host.lamnaWithPins([], "attach", "e0", "--config", host.config({ backend: "10.8.0.2" }));
  ok(run.status !== 0, "attach succeeds");
  match(run.stderr, /lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON/);
  equal(host.isAttached, false);
  deepEqual(host.pins, []);
}

/** What a run that succeeds prints. */
function success({ status, stdout, stderr }: UnprivilegedRun): string {
  equal(status, 0, `exit ${status}: ${stderr}${stdout}`);
  return stdout;
}
