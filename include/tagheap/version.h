/* SPDX-License-Identifier: MIT */
/* The version: of the headers as macros, of the library that is linked as a function. They differ
 * if a shared library was replaced after the program was compiled. The shared library's soname, the
 * pkg-config file and the CMake package have theirs from here.
 *
 * Before 1.0 each minor version may change what programs were compiled against (their soname is
 * libtagheap.so.0.MINOR); from 1.0 on only a major version does (libtagheap.so.MAJOR). A patch
 * version changes nothing that a program sees but mistakes.
 * Thread rule: everything here is pure. */
#ifndef TAGHEAP_VERSION_H
#define TAGHEAP_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

#define TH_VERSION_MAJOR 0
#define TH_VERSION_MINOR 9
#define TH_VERSION_PATCH 0

/* As one number, to be compared: 1.2.3 is 10203. */
#define TH_VERSION_NUMBER (TH_VERSION_MAJOR * 10000 + TH_VERSION_MINOR * 100 + TH_VERSION_PATCH)

/* As text: "1.2.3". */
#define TH_VERSION                                                                                 \
    TH_VERSION_VALUE_(TH_VERSION_MAJOR)                                                            \
    "." TH_VERSION_VALUE_(TH_VERSION_MINOR) "." TH_VERSION_VALUE_(TH_VERSION_PATCH)
#define TH_VERSION_VALUE_(number) TH_VERSION_WORD_(number)
#define TH_VERSION_WORD_(text)    #text

/* TH_VERSION as the library was compiled with, a static string. O(1). */
const char *th_version(void);

#ifdef __cplusplus
}
#endif
#endif
