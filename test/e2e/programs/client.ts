/** The client program: makes connections from its namespace as it is asked to, and says how they fare. */
import { EchoLoad, type EchoReport, type EchoTarget } from "./echo-load.ts";
import { serveRequests } from "./requests.ts";
import { TcpEchoPeer } from "./tcp-echo-peer.ts";
import { type TransferReport, type TransferTarget, transferAll } from "./transfer.ts";
import { UdpEchoPeer } from "./udp-echo-peer.ts";

/** What the client can be asked; `load` is a name of the test's choice. */
export type ClientRequest =
  | { readonly kind: "transfer"; readonly target: TransferTarget }
  | {
      readonly kind: "open";
      readonly load: string;
      readonly protocol: "tcp" | "udp";
      readonly target: EchoTarget;
    }
  | { readonly kind: "advance"; readonly load: string; readonly echoes: number }
  | { readonly kind: "close"; readonly load: string };

export type ClientAnswer = TransferReport[] | EchoReport[];

const loads = new Map<string, EchoLoad>();

serveRequests((request) => answer(request as ClientRequest));

async function answer(request: ClientRequest): Promise<ClientAnswer> {
  switch (request.kind) {
    case "transfer":
      return transferAll(request.target);
    case "open": {
      const { target, protocol } = request;
      const Peer = protocol === "tcp" ? TcpEchoPeer : UdpEchoPeer;
      const load = new EchoLoad(Array.from({ length: target.count }, (_, index) => new Peer(target, index)));
      loads.set(request.load, load);
      return load.opened();
    }
    case "advance":
      return loadNamed(request.load).advance(request.echoes);
    case "close": {
      const reports = await loadNamed(request.load).close();
      loads.delete(request.load);
      return reports;
    }
  }
}

function loadNamed(name: string): EchoLoad {
  const load = loads.get(name);
  if (load === undefined) throw new Error(`no load "${name}" is open`);
  return load;
}
