/** What a test that waits to be interrupted writes, with its process, when it waits. */
export const HANGING = "hanging in process";
