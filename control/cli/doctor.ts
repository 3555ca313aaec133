/** `lamna doctor`: what stands in the way of packets on this host, and what to do about it. */
import { Command } from "commander";
import { readKernelFacts } from "../../dataplane/kernel/kernel-facts.ts";
import { readPrivilegeFacts } from "../../dataplane/kernel/privilege-facts.ts";
import type { IpAddress } from "../model/address.ts";
import { readConfig } from "../model/config-file.ts";
import {
  type DoctorGroup,
  type DoctorReport,
  type DoctorState,
  doctorReportSchema,
} from "../model/doctor-report.ts";
import { DEFAULT_PIN_DIRECTORY as BACKEND_PIN_DIRECTORY, collectAddresses } from "./backend-options.ts";
import { examineBackend, examineBalancer } from "./doctor-findings.ts";
import { describeReport } from "./doctor-text.ts";
import { EXIT_CODES, UsageError } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import { painterFor } from "./output.ts";
import { DEFAULT_PIN_DIRECTORY } from "./pin-directory.ts";
import { printableJson } from "./printable.ts";

interface DoctorOptions {
  readonly config?: string;
  readonly backend?: true;
  readonly vip: readonly IpAddress[];
  readonly pinDir?: string;
  readonly json?: true;
}

const PIN_DIRECTORIES = { balancer: DEFAULT_PIN_DIRECTORY, backend: BACKEND_PIN_DIRECTORY } as const;
/** Where the output is no terminal and so has no width. */
const DEFAULT_WIDTH = 110;

const DETAILS = `
Without an interface it looks at those that Lamna runs on, or else at those with a default route. With a config it knows which
backends are to be reached, and how much room the outer header takes.

Nothing is changed, and nothing is sent but a question for the next hop's MAC. Whoever is not root sees less, and is told what.

Exits with 1 when there is a problem, and with 0 when there are warnings at most.
`;

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("look at this host, and say what stands in the way of packets and what to do")
    .argument("[interface...]", "interfaces that packets come in by")
    .option("--config <file>", 'config file in YAML; "-" reads standard input')
    .option("--backend", "look at this host as a backend, which takes encapsulated packets")
    .option(
      "--vip <address>",
      "with --backend: an address that it serves; may be repeated",
      collectAddresses,
      [],
    )
    .option(
      "--pin-dir <dir>",
      `directory in a BPF file system that keeps the instance (default: "${PIN_DIRECTORIES.balancer}"; with --backend "${PIN_DIRECTORIES.backend}")`,
    )
    .option("--json", "print one JSON object (schemas/doctor-report.schema.json)")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (interfaces: readonly string[], options: DoctorOptions) => {
      process.exitCode = await doctor(interfaces, options);
    });
}

/** Prints, and returns the exit code. Throws ConfigError, UsageError and KernelError. */
async function doctor(interfaces: readonly string[], options: DoctorOptions): Promise<number> {
  const role = options.backend === true ? "backend" : "balancer";
  if (role === "balancer" && options.vip.length > 0) throw new UsageError("--vip goes with --backend");
  const config = options.config === undefined ? undefined : readConfig(options.config);
  const pinDirectory = options.pinDir ?? PIN_DIRECTORIES[role];
  const host = { kernel: readKernelFacts(), privileges: readPrivilegeFacts(pinDirectory) };
  const request = { interfaces, config, vips: options.vip, pinDirectory };
  const groups = role === "backend" ? examineBackend(request, host) : await examineBalancer(request, host);

  const report: DoctorReport = { kernel: host.kernel.release, role, groups, counts: countStates(groups) };
  if (options.json) {
    process.stdout.write(`${printableJson(doctorReportSchema.parse(report))}\n`);
  } else {
    const style = {
      // A serial console has 0 of them.
      width: process.stdout.columns || DEFAULT_WIDTH,
      hasUnicode: process.stdout.isTTY === true,
      paint: painterFor(process.stdout),
    };
    const lines = describeReport(report, { isRoot: host.privileges.isRoot }, style);
    process.stdout.write(`${lines.join("\n")}\n`);
  }
  return report.counts.problem > 0 ? EXIT_CODES.different : EXIT_CODES.fine;
}

function countStates(groups: readonly DoctorGroup[]): DoctorReport["counts"] {
  const count = (wanted: DoctorState): number =>
    groups.reduce((sum, { findings }) => sum + findings.filter(({ state }) => state === wanted).length, 0);
  return {
    ok: count("ok"),
    warning: count("warning"),
    problem: count("problem"),
    unknown: count("unknown"),
  };
}
