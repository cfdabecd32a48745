/* SPDX-License-Identifier: MIT */
#include "tests/support/testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/edge/huge_pages.h"
#include "common/attrs.h"

enum { MIB = 1024 * 1024, SIZE = 7 * MIB };

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 2654435761U >> 24);
}

/* Whatever is asked for, and whether or not the kernel grants it. */
static void what_is_in_memory_stays(void **state)
{
    (void)state;
    static const struct {
        size_t at, bytes;
    } asked[] = {{0, SIZE}, {1, SIZE - 1}, {64, 5 * MIB + 17}, {3 * MIB, 64}, {MIB, 0}};
    uint8_t *memory = malloc(SIZE);
    assert_non_null(memory);
    for (size_t i = 0; i < SIZE; i++) {
        memory[i] = byte_at(i);
    }
    for (size_t k = 0; k < ARRAY_LEN(asked); k++) {
        huge_pages_ask(memory + asked[k].at, asked[k].bytes);
        for (size_t i = 0; i < SIZE; i++) {
            assert_int_equal(memory[i], byte_at(i));
        }
    }
    free(memory);
    huge_pages_ask(NULL, 0);
}

/* Neither before nor behind what was asked for: that is somebody else's. */
static void no_page_of_others_is_touched(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory + MIB, 1, SIZE - 2 * MIB);
    huge_pages_ask(memory + MIB, SIZE - 2 * MIB);
    unsigned char is_resident[2];
    assert_int_equal(mincore(memory + MIB - page, page, is_resident), 0);
    assert_int_equal(is_resident[0] & 1, 0);
    assert_int_equal(mincore(memory + SIZE - MIB, page, is_resident), 0);
    assert_int_equal(is_resident[0] & 1, 0);
    assert_int_equal(munmap(memory, SIZE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_memory_stays),
        cmocka_unit_test(no_page_of_others_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
