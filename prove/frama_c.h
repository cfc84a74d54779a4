/* SPDX-License-Identifier: MIT */
/* Included before everything that Frama-C reads (scripts/prove): what it does not know of C11, and
 * the library without the compiler's extensions. */
#ifndef PROVE_FRAMA_C_H
#define PROVE_FRAMA_C_H

/* Frama-C 25 knows no _Alignof. The library asks for max_align_t's only, and for it this is the
 * answer of both machines. */
#define _Alignof(type) 16

/* Nor _Alignas: which addresses objects have it does not ask, either. */
#define _Alignas(bytes)

/* Plain C (base/compiler.h, tagheap/atomic.h), though the preprocessor is gcc's; the suite
 * test_compiler compares the two sides. */
#undef __GNUC__

#endif
