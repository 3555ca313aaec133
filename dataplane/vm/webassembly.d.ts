/**
 * What is used of the WebAssembly JavaScript API. TypeScript declares it only in its browser library, which would bring `window`
 * and the rest along.
 */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: {
      readonly initial: number;
      readonly maximum?: number;
      readonly shared?: boolean;
    });
    readonly buffer: ArrayBuffer;
    /** By pages of 64 KiB; returns the old size. Throws RangeError at the maximum. */
    grow(pageCount: number): number;
  }
}
