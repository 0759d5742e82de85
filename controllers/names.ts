/** The controllers that a process can run, each under its own leader election. */
export const controllerNames = ['job', 'scheduler', 'deployment', 'node', 'periodic', 'gc'] as const;

export type ControllerName = (typeof controllerNames)[number];
