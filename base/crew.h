/* Several threads for one piece of work, which ends with them. */
#pragma once

#define CREW_MAX 16

/* Calls work(context) in this thread and in as many others as there can be, up to `threads` in all,
 * at most CREW_MAX; returns when each has returned. The work shares itself out. */
void crew_run(unsigned threads, void (*work)(void *context), void *context);
