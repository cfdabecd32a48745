/* SPDX-License-Identifier: MIT */
/* What people read: report.txt, problems.log, the terminal. */
#include "tests/support/testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/problems.h"
#include "coordinator/report/report.h"
#include "coordinator/report/terminal.h"
#include "coordinator/report/text_parts.h"
#include "tests/support/truth_fixture.h"

static const char judged[] = TRUTH_FIXTURE_HEAD TRUTH_FIXTURE_RUN
    "judge: [leases.failed == 0, p50(acquire) < 500ms in peak]\n";

static int set_up(void **state)
{
    struct truth_fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    truth_fixture_init(f, judged);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    truth_fixture_fini(*state);
    free(*state);
    return 0;
}

static char *text_of(const struct result *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(report_write_text(r, out), 0);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        print_message("not said: %s\n%s\n", part, text);
    }
    assert_non_null(strstr(text, part));
}

static void an_empty_result_is_written_without_invented_figures(void **state)
{
    (void)state;
    static struct result r;
    struct result_stage stage = {.name = "peak", .was_begun = true};
    r = (struct result){.run = {.stages = &stage, .stage_count = 1},
                        .outage = {.p50_s = NAN, .p99_s = NAN, .first_answer_s = NAN}};
    char *text = text_of(&r);
    assert_says(text, "no path was chosen");
    assert_says(text, "at an unknown time");
    assert_says(text, "no valid lease)\n  none\n");
    assert_says(text, "95 % interval\n  none measured\n");
    assert_null(strstr(text, "- s"));
    free(text);
}

static void the_verdict_and_its_reasons_come_first(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    f->snapshot[0].counter[COUNTER_rx_drops] = 3;
    assert_true(truth_fixture_finish(f, 200, &r));
    char *text = text_of(&r);
    assert_int_equal(strncmp(text, "INVALID  (exit code 3)", 22), 0);
    const char *reason = strstr(text, "own-drops: the agents' own sockets dropped 3 answers");
    assert_non_null(reason);
    assert_true(reason < strstr(text, "Judgements"));
    assert_says(text, "  next: the finding own-drops below");
    assert_says(text, "error, own-drops, side: tester (see the reasons above)");
    assert_null(
        strstr(strchr(reason, '\n'), "sockets dropped 3 answers")); /* nothing is said twice */
    assert_says(text, "remedy:   raise net.core.rmem_max");
    assert_says(text, "not judged  p50(acquire) < 500ms in peak");
    assert_says(text, "n too small");
    assert_says(text, "2025-01-31 10:00:00 UTC");
    assert_says(text, "ok     clients");
    assert_says(text, "egress: a stateless rule on the servers");
    assert_says(text, "window-limited");
    free(text);
    result_free(&r);
}

static void a_good_run_says_that_nothing_needs_attention(void **state)
{
    struct truth_fixture *f = *state;
    static struct histogram h;
    struct result r;
    truth_fixture_acquire_all(f);
    for (int i = 0; i < 200; i++) {
        histogram_record(&h, 5 * NS_PER_MS);
    }
    struct control_histogram c = {.snapshot_seq = 1,
                                  .key = {LATENCY_ACQUIRE, LATENCY_INTENDED, SNAPSHOT_NO_SERVER, 0},
                                  .histogram = &h};
    truth_histogram(f->truth, 0, &c);
    assert_true(truth_fixture_finish(f, 200, &r));
    char *text = text_of(&r);
    assert_int_equal(strncmp(text, "PASS  (exit code 0)", 19), 0);
    assert_says(text, "  next: nothing needs attention");
    assert_says(text, "renewals: 0 answered, 0 of them after a retransmission; 0 reached T2");
    free(text);
    result_free(&r);
}

static void a_share_of_a_handful_of_acks_is_not_printed(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f); /* 200 ACKs in the first second */
    truth_fixture_event(f, truth_fixture_ack(f, EVENT_RENEW, 4), 60);
    assert_true(truth_fixture_finish(f, 61, &r));
    char *text = text_of(&r);
    assert_says(text, "s1                   50      -      -");
    assert_says(text, "ACKs of all         200      0      0      0      0");
    assert_says(text, "      1\n");
    free(text);
    result_free(&r);
}

static void no_two_lines_of_a_refusal_are_equal(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    static const char reason[] = "renewals are not answered on any path that was allowed: r1 by "
                                 "egress 0 of 3; apply the rules of `leaseherd testbed`";
    truth_finding(f->truth, "no-client-path", "error", reason, "seen in preflight", "");
    truth_outcome(f->truth, OUTCOME_PREFLIGHT, reason);
    const struct truth_closing closing = {0};
    assert_true(truth_finish(f->truth, &closing, &r));
    char *text = text_of(&r);
    const char *first = strstr(text, "renewals are not answered");
    assert_non_null(first);
    assert_null(strstr(first + 1, "renewals are not answered"));
    assert_says(text, "evidence: seen in preflight");
    assert_null(strstr(text, "Latencies")); /* there was no load to tell of */
    assert_null(strstr(text, "\nOutage"));
    free(text);
    result_free(&r);
}

static void lines_are_no_longer_than_the_page(void **state)
{
    struct truth_fixture *f = *state;
    struct result r;
    truth_fixture_acquire_all(f);
    assert_true(truth_fixture_finish(f, 200, &r));
    char *text = text_of(&r);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strlen(line) > TEXT_COLUMNS) {
            print_message("%zu: %s\n", strlen(line), line);
        }
        assert_true(strlen(line) <= TEXT_COLUMNS);
    }
    free(text);
    result_free(&r);
}

static void numbers_are_written_for_people(void **state)
{
    (void)state;
    char cell[TEXT_CELL_BYTES];
    assert_string_equal(text_count(0, cell), "0");
    assert_string_equal(text_count(999, cell), "999");
    assert_string_equal(text_count(1000, cell), "1,000");
    assert_string_equal(text_count(UINT64_MAX - 1, cell), "18,446,744,073,709,551,614");
    assert_string_equal(text_count(RESULT_UNKNOWN, cell), "-");
    assert_string_equal(text_ms(412, cell), "0.412");
    assert_string_equal(text_ms(4512, cell), "4.51");
    assert_string_equal(text_ms(13201400, cell), "13,201");
    assert_string_equal(text_ms(RESULT_UNKNOWN, cell), "-");
    assert_string_equal(text_number(NAN, cell), "-");
    assert_string_equal(text_number(12.34, cell), "12.3");
}

static void text_is_broken_at_spaces(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    char words[400] = "";
    for (int i = 0; i < 30; i++) {
        (void)strcat(words, i == 20 ? "new\nline " : "ten-letter ");
    }
    text_wrapped(out, "  - ", words);
    assert_int_equal(fclose(out), 0);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        assert_true(strlen(line) <= TEXT_COLUMNS);
        assert_true(line[0] == ' ' && line[1] == ' ');
        assert_true(line[strlen(line) - 1] != ' ');
    }
    free(text);
}

/* --- problems.log --- */

static struct problems_context context_of(const struct truth_fixture *f)
{
    return (struct problems_context){
        .plan = &f->plan, .agent = "a1", .run_us = 12345678, .started_at_s = 1738317600};
}

static void an_answered_exchange_is_no_problem(void **state)
{
    struct truth_fixture *f = *state;
    char line[PROBLEMS_LINE_BYTES] = "untouched";
    const struct problems_context context = context_of(f);
    struct event e = truth_fixture_ack(f, EVENT_RENEW, 5);
    e.tries = 3; /* retried, and answered */
    assert_int_equal(problems_format(&context, &e, line, sizeof(line)), 0);
    assert_string_equal(line, "untouched");
    e = (struct event){.kind = EVENT_RELEASE, .result = EVENT_SENT, .tries = 1};
    assert_int_equal(problems_format(&context, &e, line, sizeof(line)), 0);
}

static void a_missed_step_is_one_line_with_all_that_is_known(void **state)
{
    struct truth_fixture *f = *state;
    char line[PROBLEMS_LINE_BYTES], mac[MAC_TEXT_BYTES];
    const struct problems_context context = context_of(f);
    struct event e = truth_fixture_ack(f, EVENT_RENEW, 105);
    e.result = EVENT_GAVE_UP;
    e.took_us = 22500000;
    e.wait_us = 22600000;
    size_t size = problems_format(&context, &e, line, sizeof(line));
    assert_int_equal(size, strlen(line));
    assert_int_equal(line[size - 1], '\n');
    assert_int_equal(strchr(line, '\n') - line, size - 1);
    assert_int_equal(strncmp(line, "2025-01-31T10:00:12.345Z +12.346s agent=a1 relay=r2", 50), 0);
    assert_says(line, "client=105");
    assert_says(line, mac_text(plan_client_mac(&f->plan, 105), mac));
    assert_says(line, "xid=0x01000069 state=RENEWING stage=keep missed=renew addr=10.10.128.106");
    assert_says(line, "server=192.168.2.12 sent=1 first_sent=22.500s_ago due=22.600s_ago");
    assert_says(line, "back=\"nothing");
}

static void each_kind_of_trouble_is_told(void **state)
{
    struct truth_fixture *f = *state;
    static const struct {
        enum event_kind kind;
        enum event_result result;
        unsigned flags;
        const char *says;
    } rows[] = {
        {EVENT_ACQUIRE, EVENT_GAVE_UP, 0, "state=SELECTING"},
        {EVENT_ACQUIRE, EVENT_GAVE_UP, EVENT_OFFER_SEEN, "back=\"OFFER, but no ACK"},
        {EVENT_ACQUIRE, EVENT_GAVE_UP, EVENT_DEADLINE, "counted as failed"},
        {EVENT_ACQUIRE, EVENT_GAVE_UP, EVENT_FOREIGN_OFFER, "only a foreign OFFER"},
        {EVENT_ACQUIRE, EVENT_NAK, EVENT_OFFER_SEEN, "back=\"NAK"},
        {EVENT_REBIND, EVENT_CHANGED, EVENT_ADDRESS_CHANGED, "ACK for another address"},
        {EVENT_EXPIRE, EVENT_ENDED, EVENT_IN_PAUSE, "while sending was not allowed"},
        {EVENT_ACQUIRE, EVENT_ACK, EVENT_LATE_BOUND, "after its deadline"},
    };
    const struct problems_context context = context_of(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[PROBLEMS_LINE_BYTES];
        struct event e = truth_fixture_ack(f, rows[i].kind, 5);
        e.result = (uint8_t)rows[i].result;
        e.flags = (uint16_t)rows[i].flags;
        assert_true(problems_format(&context, &e, line, sizeof(line)) > 0);
        assert_says(line, rows[i].says);
    }
    struct event lease = truth_fixture_ack(f, EVENT_RENEW, 5);
    char lease_line[PROBLEMS_LINE_BYTES];
    lease.flags = EVENT_SHORT_LEASE;
    lease.lease_s = 59; /* expected are 60 */
    assert_int_equal(problems_format(&context, &lease, lease_line, sizeof(lease_line)), 0);
    lease.lease_s = 48;
    assert_true(problems_format(&context, &lease, lease_line, sizeof(lease_line)) > 0);
    assert_says(lease_line, "lease 48 s; unexpected lease time");
    struct event unsent = {.kind = EVENT_RELEASE, .result = EVENT_SENT, .tries = 0};
    char line[PROBLEMS_LINE_BYTES];
    assert_true(problems_format(&context, &unsent, line, sizeof(line)) > 0);
    assert_says(line, "could not be sent");
}

static void a_path_that_preflight_only_tried_is_no_problem(void **state)
{
    static const struct {
        enum event_kind kind;
        enum event_result result;
        bool is_problem;
    } rows[] = {
        {EVENT_RENEW, EVENT_GAVE_UP, false},  {EVENT_RENEW, EVENT_NAK, false},
        {EVENT_RELEASE, EVENT_SENT, false},   {EVENT_ACQUIRE, EVENT_ACK, false},
        {EVENT_ACQUIRE, EVENT_GAVE_UP, true}, {EVENT_ACQUIRE, EVENT_NAK, true},
    };
    struct truth_fixture *f = *state;
    const struct problems_context context = context_of(f);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[PROBLEMS_LINE_BYTES];
        struct event e = truth_fixture_ack(f, rows[i].kind, 5);
        e.result = (uint8_t)rows[i].result;
        e.flags = EVENT_PREFLIGHT;
        size_t size = problems_format(&context, &e, line, sizeof(line));
        assert_int_equal(size > 0, rows[i].is_problem);
    }
}

static void a_short_buffer_cuts_but_keeps_the_newline(void **state)
{
    struct truth_fixture *f = *state;
    const struct problems_context context = context_of(f);
    struct event e = truth_fixture_ack(f, EVENT_RENEW, 5);
    e.result = EVENT_GAVE_UP;
    for (size_t size = 0; size < 300; size++) {
        char *line = malloc(size + 1);
        assert_non_null(line);
        size_t length = problems_format(&context, &e, line, size);
        assert_true(length < size || size == 0);
        assert_true(length == 0 || (line[length - 1] == '\n' && line[length] == '\0'));
        free(line);
    }
    e.client = 4000000; /* not of this plan */
    char line[PROBLEMS_LINE_BYTES];
    assert_true(problems_format(&context, &e, line, sizeof(line)) > 0);
    assert_says(line, "relay=? client=4000000 mac=?");
}

static void what_was_not_written_is_counted_at_the_end(void **state)
{
    (void)state;
    char line[PROBLEMS_LINE_BYTES];
    assert_int_equal(problems_format_rest(0, line, sizeof(line)), 0);
    size_t size = problems_format_rest(17, line, sizeof(line));
    assert_int_equal(size, strlen(line));
    assert_says(line, "... and 17 more");
}

/* --- terminal --- */

static void without_a_terminal_a_line_per_phase_is_written(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    struct terminal *t = terminal_new(out, false);
    assert_non_null(t);
    const struct truth_now now = {.bound = 17, .acquired = 18};
    terminal_update(t, &now, "peak", NULL, 0, 1.5);
    terminal_update(t, &now, "peak", NULL, 0, 1.6); /* too soon */
    assert_false(terminal_is_due(t, "peak"));
    assert_true(terminal_is_due(t, "stage keep"));
    const struct truth_now renewing = {.latency = "renew", .p50_us = 1500, .p99_us = UINT64_MAX};
    terminal_update(t, &renewing, "stage keep", NULL, 0, 1.7);
    terminal_clear(t);
    terminal_update(t, &now, "over", NULL, 0, 1.8); /* a refusal has said all */
    terminal_done(t);
    assert_int_equal(fclose(out), 0);
    assert_says(text, "what=progress phase=peak run_s=1.5 bound=17");
    assert_says(text, "phase=\"stage keep\" run_s=1.7");
    assert_says(text, " latency=renew p50_ms=1.50 p99_ms=-\n");
    assert_null(strstr(text, "over"));
    assert_null(strstr(text, "p50_ms=0.00"));
    assert_null(strstr(text, "run_s=1.6"));
    assert_null(strchr(text, '\033'));
    free(text);
}

static void on_a_terminal_the_block_is_drawn_over(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    struct terminal *t = terminal_new(out, true);
    assert_non_null(t);
    struct terminal_agent agents[14];
    for (size_t i = 0; i < 14; i++) {
        agents[i] = (struct terminal_agent){.name = "a1", .state = "running", .clients = 10};
    }
    const struct truth_now now = {.bound = 17};
    terminal_update(t, &now, "peak", agents, 1, 1.5);
    terminal_update(t, &now, "keep", agents, 14, 1.7);
    terminal_done(t);
    assert_int_equal(fclose(out), 0);
    assert_says(text, "bound 0/10");
    assert_says(text, "\033[4A"); /* three lines and one agent */
    assert_says(text, "and 2 more agents");
    free(text);
    terminal_done(NULL);
}

static void other_text_can_be_printed_in_between(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    struct terminal *t = terminal_new(out, true);
    assert_non_null(t);
    const struct truth_now now = {.bound = 17};
    terminal_clear(NULL);
    terminal_clear(t); /* nothing there: nothing to take off */
    terminal_update(t, &now, "peak", NULL, 0, 1.5);
    terminal_clear(t);
    (void)fputs("leaseherd run: a word\n", out);
    terminal_update(t, &now, "peak", NULL, 0, 1.6); /* at once, below */
    terminal_done(t);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(strncmp(text, "peak", 4), 0);
    assert_says(text, "\033[3A\r\033[Jleaseherd run: a word\npeak  1.6 s");
    free(text);
}

static void rows_of_a_large_run_fit_80_columns(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    struct terminal *t = terminal_new(out, true);
    assert_non_null(t);
    const struct terminal_agent agent = {.name = "agent-host-7",
                                         .state = "running",
                                         .clients = 1000000,
                                         .bound = 999999,
                                         .received = 123456789};
    const struct truth_now now = {.bound = 999999,
                                  .open = 300,
                                  .failed = 17,
                                  .expired = 12,
                                  .acquired = 1000000,
                                  .acquired_per_s = 12345,
                                  .renewed = 5000000,
                                  .renewed_per_s = 33333,
                                  .rebound = 123456,
                                  .sent = 12345678,
                                  .received = 12345678,
                                  .latency = "discover_offer",
                                  .p50_us = 1234,
                                  .p99_us = 12345};
    terminal_update(t, &now, "stage morning", &agent, 1, 1234.5);
    terminal_done(t);
    assert_int_equal(fclose(out), 0);
    assert_says(text, "expired 12\033[K");
    assert_says(text, "rebound 123456\033[K");
    assert_says(text, "received 12345678\033[K");
    assert_says(text, "received 123456789\033[K");
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_result_is_written_without_invented_figures),
        TEST(the_verdict_and_its_reasons_come_first),
        TEST(a_good_run_says_that_nothing_needs_attention),
        TEST(a_share_of_a_handful_of_acks_is_not_printed),
        TEST(no_two_lines_of_a_refusal_are_equal),
        TEST(lines_are_no_longer_than_the_page),
        TEST(numbers_are_written_for_people),
        TEST(text_is_broken_at_spaces),
        TEST(an_answered_exchange_is_no_problem),
        TEST(a_missed_step_is_one_line_with_all_that_is_known),
        TEST(each_kind_of_trouble_is_told),
        TEST(a_path_that_preflight_only_tried_is_no_problem),
        TEST(a_short_buffer_cuts_but_keeps_the_newline),
        TEST(what_was_not_written_is_counted_at_the_end),
        TEST(without_a_terminal_a_line_per_phase_is_written),
        TEST(on_a_terminal_the_block_is_drawn_over),
        TEST(other_text_can_be_printed_in_between),
        TEST(rows_of_a_large_run_fit_80_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
