/* SPDX-License-Identifier: MIT */
#include "common/bytes.h"

#include "tests/support/testing.h"

#include <string.h>

static void reading_past_the_end_yields_zeros_for_ever(void **state)
{
    (void)state;
    static const uint8_t data[3] = {1, 2, 3};
    struct byte_reader r = byte_reader_over(data, sizeof(data));
    assert_int_equal(byte_read_u32(&r), 0);
    assert_false(r.ok);
    assert_int_equal(byte_read_u8(&r), 0); /* the three bytes are not handed out any more */
    assert_int_equal(byte_reader_left(&r), 0);
    uint8_t copy[2] = {9, 9};
    byte_read_copy(&r, copy, sizeof(copy));
    assert_int_equal(copy[0] | copy[1], 0);
    assert_null(byte_read_view(&r, 1));
}

static void a_huge_length_does_not_wrap_around(void **state)
{
    (void)state;
    static const uint8_t data[4] = {0};
    struct byte_reader r = byte_reader_over(data, sizeof(data));
    (void)byte_read_u16(&r);
    assert_null(byte_read_view(&r, SIZE_MAX));
    assert_false(r.ok);

    uint8_t out[4] = {0};
    struct byte_writer w = byte_writer_over(out, sizeof(out));
    byte_write_u16(&w, 0x0102);
    byte_write_fill(&w, 0xff, SIZE_MAX);
    assert_false(w.ok);
    assert_int_equal(out[2], 0);
}

static void writing_past_the_end_writes_nothing(void **state)
{
    (void)state;
    uint8_t out[5] = {0};
    struct byte_writer w = byte_writer_over(out, 3);
    byte_write_u16(&w, 0x0102);
    byte_write_u32(&w, 0xffffffff);
    assert_false(w.ok);
    byte_write_u8(&w, 0xff); /* would fit, but the error is sticky */
    assert_int_equal(w.at, 2);
    static const uint8_t expected[5] = {1, 2, 0, 0, 0};
    assert_memory_equal(out, expected, sizeof(out));
}

static void reading_nothing_at_the_end_is_no_error(void **state)
{
    (void)state;
    struct byte_reader r = byte_reader_over(NULL, 0);
    assert_null(byte_read_view(&r, 0));
    byte_read_copy(&r, NULL, 0);
    assert_true(r.ok);
    struct byte_writer w = byte_writer_over(NULL, 0);
    byte_write_copy(&w, NULL, 0);
    byte_write_fill(&w, 1, 0);
    assert_true(w.ok);
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    uint8_t out[32];
    struct byte_writer w = byte_writer_over(out, sizeof(out));
    byte_write_u8(&w, 0xab);
    byte_write_u16(&w, 0x1234);
    byte_write_u32(&w, 0xdeadbeef);
    byte_write_ipv4(&w, inet_from_host(0x0a010203));
    byte_write_copy(&w, "xyz", 3);
    byte_write_fill(&w, 7, 2);
    assert_true(w.ok);
    assert_int_equal(w.at, 16);

    struct byte_reader r = byte_reader_over(out, w.at);
    assert_int_equal(byte_read_u8(&r), 0xab);
    assert_int_equal(byte_read_u16(&r), 0x1234);
    assert_int_equal(byte_read_u32(&r), 0xdeadbeef);
    assert_int_equal(inet_host(byte_read_ipv4(&r)), 0x0a010203);
    char text[3];
    byte_read_copy(&r, text, 3);
    assert_memory_equal(text, "xyz", 3);
    assert_int_equal(byte_reader_left(&r), 2);
    const uint8_t *view = byte_read_view(&r, 2);
    assert_ptr_equal(view, out + 14);
    assert_true(r.ok);
    assert_int_equal(byte_reader_left(&r), 0);
}

static void integers_are_big_endian(void **state)
{
    (void)state;
    uint8_t out[7] = {0};
    bytes_put_u16(out, 0x0102);
    bytes_put_u32(out + 3, 0xf1020304); /* unaligned */
    static const uint8_t expected[7] = {1, 2, 0, 0xf1, 2, 3, 4};
    assert_memory_equal(out, expected, sizeof(out));
    assert_int_equal(bytes_get_u16(out), 0x0102);
    assert_int_equal(bytes_get_u32(out + 3), 0xf1020304);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_past_the_end_yields_zeros_for_ever),
        cmocka_unit_test(a_huge_length_does_not_wrap_around),
        cmocka_unit_test(writing_past_the_end_writes_nothing),
        cmocka_unit_test(reading_nothing_at_the_end_is_no_error),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(integers_are_big_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
