/* SPDX-License-Identifier: MIT */
/* What stands in for a compiler's builtins gives what they give: on each power of two and its
 * neighbours, and on random values of every length. */
#include "base/bytes16.h"
#include "base/compiler.h"

#include <string.h>

#include "suite.h"

#define VALUES 2048u

static uint64_t values[VALUES];

static void choose_values(void) {
    uint64_t state = th_test_seed(1);
    size_t count = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        values[count++] = power - 1;
        values[count++] = power;
        values[count++] = power + 1;
    }
    for (; count < VALUES; count++) {
        values[count] = th_test_random(&state) >> (count % 64);
    }
}

static void the_highest_and_the_lowest_bit_are_those_of_the_builtins(void) {
    choose_values();
    for (size_t i = 0; i < VALUES; i++) {
        if (values[i] != 0) {
            CHECK_EQ(th_plain_highest_bit(values[i]), th_highest_bit(values[i]));
            CHECK_EQ(th_plain_lowest_bit(values[i]), th_lowest_bit(values[i]));
        }
    }
}

/* Neither side is right only because the other one errs alike. */
static void bits_are_counted_from_0(void) {
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        CHECK_EQ(th_highest_bit(power), bit);
        CHECK_EQ(th_lowest_bit(power), bit);
        CHECK_EQ(th_highest_bit(power | 1), bit);
        CHECK_EQ(th_lowest_bit(power | (uint64_t)1 << 63), bit);
    }
}

static void products_and_overflows_are_those_of_the_builtin(void) {
    choose_values();
    for (size_t i = 0; i < VALUES; i++) {
        for (size_t k = 0; k < VALUES; k += i % 7 + 1) {
            size_t a = (size_t)values[i];
            size_t b = (size_t)values[k];
            size_t plain = 0;
            size_t product = 1;
            CHECK_EQ(th_plain_mul_overflows(a, b, &plain), th_mul_overflows(a, b, &product));
            CHECK(plain == product);
        }
    }
}

static void a_product_overflows_where_it_does_not_fit(void) {
    size_t product = 0;
    CHECK(!th_mul_overflows(SIZE_MAX, 1, &product));
    CHECK(product == SIZE_MAX);
    CHECK(!th_mul_overflows(SIZE_MAX / 3, 3, &product));
    CHECK(product == SIZE_MAX / 3 * 3);
    CHECK(th_mul_overflows(SIZE_MAX / 3 + 1, 3, &product));
    CHECK(th_mul_overflows(3, SIZE_MAX / 3 + 1, &product));
    CHECK(th_mul_overflows(SIZE_MAX, SIZE_MAX, &product));
    CHECK(product == 1);
    CHECK(!th_mul_overflows(0, SIZE_MAX, &product));
    CHECK(product == 0);
    CHECK(!th_mul_overflows(SIZE_MAX, 0, &product));
}

static void sixteen_bytes_are_compared_as_one_by_one(void) {
    uint32_t state = 1;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t bytes[TH_BYTES16];
        for (unsigned i = 0; i < TH_BYTES16; i++) {
            state = state * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)(state >> 24 >> round % 9);
        }
        uint8_t least = (uint8_t)(state >> 16 >> round % 7);
        CHECK_EQ(th_bytes16_max(bytes), th_plain_bytes16_max(bytes));
        CHECK_EQ(th_bytes16_at_least(bytes, least), th_plain_bytes16_at_least(bytes, least));
        CHECK_EQ(th_plain_bytes16_at_least(bytes, 0), 0xFFFF);
        uint8_t max = th_plain_bytes16_max(bytes);
        uint32_t largest = th_plain_bytes16_at_least(bytes, max);
        CHECK(largest != 0 && bytes[th_lowest_bit(largest)] == max);
        CHECK(max == 255 || th_plain_bytes16_at_least(bytes, (uint8_t)(max + 1)) == 0);
        uint8_t other[TH_BYTES16];
        memcpy(other, bytes, sizeof other);
        CHECK(th_bytes16_same(bytes, other) && th_plain_bytes16_same(bytes, other));
        other[round % TH_BYTES16] ^= (uint8_t)(1u << round / TH_BYTES16 % 8);
        CHECK(!th_bytes16_same(bytes, other) && !th_plain_bytes16_same(bytes, other));
        uint8_t many[3 * TH_BYTES16] = {0};
        size_t count = round % 4;
        size_t at = round / 4 % sizeof many;
        CHECK(th_bytes16_none(many, count) && th_plain_bytes16_none(many, count));
        many[at] = (uint8_t)(1u << round / 192 % 8);
        CHECK_EQ(th_bytes16_none(many, count), at >= count * TH_BYTES16);
        CHECK_EQ(th_plain_bytes16_none(many, count), at >= count * TH_BYTES16);
    }
}

TH_SUITE("compiler", TEST(sixteen_bytes_are_compared_as_one_by_one),
         TEST(the_highest_and_the_lowest_bit_are_those_of_the_builtins),
         TEST(bits_are_counted_from_0), TEST(products_and_overflows_are_those_of_the_builtin),
         TEST(a_product_overflows_where_it_does_not_fit))
