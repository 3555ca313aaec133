/**
 * What long-lived TCP connections and UDP flows to an echo server have in common: many that go on until they are told to stop, each
 * checking every byte that comes back, and a way to wait until all have got on by some amount, which is how tests wait for anything:
 * never for a time.
 */

export interface EchoTarget {
  readonly host: string;
  readonly port: number;
  readonly count: number;
  /** How much is in flight at a time. */
  readonly chunkBytes: number;
  readonly pauseMs: number;
  readonly seed: number;
}

/** How one connection or flow fares. */
export interface EchoReport {
  /** Who answered, by the name it gave; null before it did (JSON knows no undefined). */
  readonly backend: string | null;
  readonly localPort: number;
  /** Chunks that came back as they were sent. */
  readonly echoes: number;
  /** UDP only: datagrams that were not answered. */
  readonly lost: number;
  /** UDP only: answers of another backend than the first one's. */
  readonly moves: number;
  /** What ended it, if it did not end as asked. */
  readonly error: string | null;
}

/** One connection or flow. */
export interface EchoPeer {
  readonly report: EchoReport;
  /** Resolves when the peer is known, or the attempt has failed; never rejects. */
  opened(): Promise<void>;
  /** Calls back after each echo and at the end. */
  onProgress: () => void;
  /** Ends it in order; resolves when that is done. */
  close(): Promise<void>;
}

/** Only a test that fails anyway waits so long. */
const STUCK_MS = 45_000;

export class EchoLoad {
  readonly #peers: readonly EchoPeer[];

  constructor(peers: readonly EchoPeer[]) {
    this.#peers = peers;
  }

  get reports(): EchoReport[] {
    return this.#peers.map(({ report }) => report);
  }

  async opened(): Promise<EchoReport[]> {
    await Promise.all(this.#peers.map((peer) => peer.opened()));
    return this.reports;
  }

  /** Resolves when each has had `echoes` more of them or has ended; rejects, naming them, when some get on no more. */
  async advance(echoes: number): Promise<EchoReport[]> {
    const results = await Promise.all(this.#peers.map((peer) => advanced(peer, echoes)));
    const stuck = results.filter((result) => result !== undefined);
    if (stuck.length > 0)
      throw new Error(`${stuck.length} of ${results.length} are stuck: ${JSON.stringify(stuck)}`);
    return this.reports;
  }

  async close(): Promise<EchoReport[]> {
    await Promise.all(this.#peers.map((peer) => peer.close()));
    return this.reports;
  }
}

/** The report of a peer that is stuck, otherwise undefined. */
function advanced(peer: EchoPeer, echoes: number): Promise<EchoReport | undefined> {
  const wanted = peer.report.echoes + echoes;
  return new Promise((resolve) => {
    const stuck = setTimeout(() => done(peer.report), STUCK_MS);
    const done = (result: EchoReport | undefined): void => {
      clearTimeout(stuck);
      peer.onProgress = () => {};
      resolve(result);
    };
    peer.onProgress = () => {
      if (peer.report.error !== null || peer.report.echoes >= wanted) done(undefined);
    };
    peer.onProgress();
  });
}
