/* vmsnapd health: GET /healthz of the service that the same settings start, for container engines
 * and scripts. */
#pragma once

/* 0 if it answers 200 within a few seconds; else 1, and a line on standard error that says why. */
int health_run(int argc, char *const argv[]);
