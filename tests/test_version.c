/* SPDX-License-Identifier: MIT */
/* The version as macros, as text, as one number and as the library says it is the same. */
#include "tagheap/version.h"

#include <stdio.h>
#include <string.h>

#include "suite.h"

static void the_library_is_of_its_headers_version(void) {
    CHECK_EQ(strcmp(th_version(), TH_VERSION), 0);
}

static void the_text_is_the_three_numbers(void) {
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", TH_VERSION_MAJOR, TH_VERSION_MINOR, TH_VERSION_PATCH);
    CHECK_EQ(strcmp(TH_VERSION, text), 0);
}

static void the_number_orders_versions(void) {
    CHECK_EQ(TH_VERSION_NUMBER / 10000, TH_VERSION_MAJOR);
    CHECK_EQ(TH_VERSION_NUMBER / 100 % 100, TH_VERSION_MINOR);
    CHECK_EQ(TH_VERSION_NUMBER % 100, TH_VERSION_PATCH);
#if TH_VERSION_NUMBER < 900
    CHECK(!"a version from before there was this header");
#endif
}

TH_SUITE("version", TEST(the_library_is_of_its_headers_version),
         TEST(the_text_is_the_three_numbers), TEST(the_number_orders_versions))
