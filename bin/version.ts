declare const __ORCH_VERSION__: string | undefined;

/** The version of package.json, put in by the build. */
export const version = typeof __ORCH_VERSION__ === 'string' ? __ORCH_VERSION__ : '0.0.0';
