/** How many times as much random work is done as by default. */
export const EFFORT = Number(process.env['ORCH_EFFORT'] ?? 1);
