/* SPDX-License-Identifier: MIT */
#ifndef LAB_PROGRAM_SANITIZER_H
#define LAB_PROGRAM_SANITIZER_H

/* Is this a build of AddressSanitizer, of MemorySanitizer? */
#if defined(__has_feature)
#define ASAN __has_feature(address_sanitizer)
#define MSAN __has_feature(memory_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#define MSAN 0
#else
#define ASAN 0
#define MSAN 0
#endif

/* Is the program one of AddressSanitizer, though perhaps not this file? The build says so where it
 * instruments the library, but not what looks at it (sanitize/fuzz.mk). */
#ifndef LAB_ASAN
#define LAB_ASAN ASAN
#endif

#endif
