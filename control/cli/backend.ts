/** `lamna backend`: the commands for hosts that balancers send encapsulated packets to. */
import { Command } from "commander";
import { backendAttachCommand } from "./backend-attach.ts";
import { backendDetachCommand } from "./backend-detach.ts";
import { backendStatusCommand } from "./backend-status.ts";
import { helpParagraphs } from "./help-text.ts";

export function backendCommand(): Command {
  return new Command("backend")
    .description("on a backend host: take off what balancers put around packets, without tunnel devices")
    .addCommand(backendAttachCommand())
    .addCommand(backendDetachCommand())
    .addCommand(backendStatusCommand())
    .addHelpText("after", helpParagraphs(NOTES));
}

const NOTES = `
The host itself has to take packets for the VIPs, on the loopback interface and without answering ARP for them, and send answers
with the VIP as their source: see "The backend's side" in docs/operating.md.
`;
