/* SPDX-License-Identifier: MIT */
/* TagHeap: the library in one file, to be compiled as C11 and linked. Made by `make dist`: change
 * the sources, not this file.
 *
 * Options, with what holds if they are not given:
 *
 *   -DTH_GUARD=0          the guards that it contains, 0 to 3: th_heap_config.guarding.level
 *   -DTH_LAYOUTS=7        which layouts of blocks: 1 classic, 2 lean, 4 wide, or a sum of these
 *   -DTH_INDEX=1          0: the heap has no index, and walks
 *   -DTH_ASSERTS=0        1: the library verifies what it assumes of itself
 *   -DTH_ATOMIC_STEPS=0   1: each atomic operation first calls th_atomic_step, for tests (1 if
 *                         TH_ASSERTS is)
 *   -DTH_CLASSIC=1        0: leaves out the TH_* functions, and their heap of 300,000 bytes
 *   -DTH_OS=1             0: leaves out what needs an operating system (th_system_allocator,
 *                         th_pages_*, th_huge_pages_*, th_file_map_*, th_device_*, th_mutex_*,
 *                         th_shared_memory_*, th_process_*, and th_port_panic, which you write
 *                         then)
 *   -DTH_TRACK_VALGRIND=0 1: Valgrind is told whose each byte is
 *   -DTH_COMPILER_GNU=1   0: no builtins and no attributes, as for compilers unlike gcc and clang
 *   -DTH_COMPILER_SSE2=1  0: none of this processor's own (as for processors that have them not)
 *   -DTH_INTERNAL=static  nothing (-DTH_INTERNAL=): others can call what is the library's own */
#ifndef TH_CLASSIC
#define TH_CLASSIC 1
#endif
#ifndef TH_OS
#define TH_OS 1
#endif

/* @features */

#include "tagheap.h"

/* @includes */

#ifndef TH_INTERNAL
#define TH_INTERNAL static TH_UNUSED
#endif

/* @headers */

/* @sources */
