/**
 * The server program of a backend: HTTP that hashes what it is sent and sends what it is asked for, and echo over TCP and UDP. Its only
 * argument is a `ServerOptions` in JSON.
 */
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { serveRequests } from "./requests.ts";
import { seededChunks } from "./seeded-bytes.ts";

export interface ServerOptions {
  /** What the server calls itself to clients. */
  readonly name: string;
  readonly httpPorts: readonly number[];
  readonly tcpEchoPorts: readonly number[];
  readonly udpEchoPorts: readonly number[];
  /** UDP answers come from the address that a socket is bound to, so each VIP needs its own. */
  readonly udpAddresses: readonly string[];
}

export interface ServerReport {
  /** Echo connections accepted so far, and those of them that are open. */
  readonly accepted: number;
  readonly open: number;
  /** Those that ended by an error, such as a reset. */
  readonly failed: number;
}

const options = JSON.parse(process.argv[2] ?? "") as ServerOptions;
let accepted = 0;
let failed = 0;
const open = new Set<Socket>();

await Promise.all([
  ...options.httpPorts.map((port) => listen(createHttpServer(respond), port)),
  ...options.tcpEchoPorts.map((port) => listen(createTcpServer({ noDelay: true }, echo), port)),
  ...options.udpAddresses.flatMap((address) =>
    options.udpEchoPorts.map((port) => echoDatagrams(address, port)),
  ),
]);
serveRequests((): ServerReport => ({ accepted, open: open.size, failed }));

function listen(server: ReturnType<typeof createTcpServer>, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Connections that wait to be accepted: enough that no test's burst is refused.
    server.listen({ port, host: "::", backlog: 1024 }, resolve);
  });
}

function respond(request: IncomingMessage, response: ServerResponse): void {
  answer(request, response).catch(() => response.destroy());
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { searchParams } = new URL(request.url ?? "", "http://server");
  const hash = createHash("sha256");
  for await (const chunk of request) hash.update(chunk as Buffer);
  const byteCount = Number(searchParams.get("bytes"));
  response.writeHead(200, {
    "content-length": byteCount,
    "x-backend": options.name,
    "x-remote": unmapped(request.socket.remoteAddress),
    "x-local": unmapped(request.socket.localAddress),
    "x-digest": hash.digest("hex"),
  });
  await pipeline(seededChunks(Number(searchParams.get("seed")), byteCount), response);
}

function echo(socket: Socket): void {
  accepted += 1;
  open.add(socket);
  socket.on("error", () => {
    failed += 1;
  });
  socket.on("close", () => open.delete(socket));
  socket.write(`${options.name}\n`);
  socket.pipe(socket);
}

function echoDatagrams(address: string, port: number): Promise<void> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  const name = Buffer.from(options.name);
  socket.on("message", (message, from) =>
    socket.send(Buffer.concat([message, name]), from.port, from.address),
  );
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, address, () => resolve());
  });
}

/** A dual-stack socket shows IPv4 addresses as `::ffff:10.0.0.1`. */
function unmapped(address = ""): string {
  return address.replace(/^::ffff:/, "");
}
