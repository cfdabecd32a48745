/* SPDX-License-Identifier: MIT */
#include "tests/bench/reflector_options.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_DEFAULT = 1000, QUEUE_MAX = 100000 };

const char reflector_usage[] =
    "usage: leaseherd-reflector --address A --base NET [--lease S] [--renew-to client|source]\n"
    "as a server of known capacity (a REQUEST is a commit):\n"
    "  --capacity N      commits per second\n"
    "  --queue N         messages that may wait; more are dropped (1000)\n"
    "  --discover-cost F what a DISCOVER costs, in commits (0)\n"
    "  --release-cost F  what a RELEASE or DECLINE costs (0)\n"
    "  --commit-ms F     answers leave together, this often\n"
    "  --jitter F        service times spread by this share, 0 to 1; the capacity stays (0)\n"
    "  --seed N          of the jitter (1)\n"
    "  --stall-for S     stand still that long, at --stall-at and at each SIGUSR1\n"
    "  --stall-at S      that long after the first message\n"
    "  --stall-mode M    queue: what comes waits as far as there is room; lose: it is lost "
    "(queue)\n"
    "Counters are printed on SIGTERM.\n";

static bool parse_number(const char *text, double least, double most, double *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < least || value > most) {
        return false;
    }
    *out = value;
    return true;
}

/* Options whose value is a number: where it goes. */
struct number_option {
    int letter;
    double least, most;
    const char *wrong;
};

static const struct number_option numbers[] = {
    {'l', 8, 4294967295.0, "--lease is seconds, at least 8"},
    {'c', 1, 1e6, "--capacity is commits per second, 1 to 1000000"},
    {'q', 1, QUEUE_MAX, "--queue is a number of messages, 1 to 100000"},
    {'d', 0, 100, "--discover-cost is a number of commits, 0 to 100"},
    {'R', 0, 100, "--release-cost is a number of commits, 0 to 100"},
    {'m', 0.01, 1000, "--commit-ms is milliseconds, 0.01 to 1000"},
    {'j', 0, 1, "--jitter is a share, 0 to 1"},
    {'s', 0, 9007199254740992.0, "--seed is a whole number"},
    {'A', 0.001, 86400, "--stall-at is seconds, 0.001 to 86400"},
    {'F', 0.001, 3600, "--stall-for is seconds, 0.001 to 3600"},
};

static void put_number(struct reflector_options *o, int letter, double value)
{
    o->is_modelled = o->is_modelled || letter != 'l';
    switch (letter) {
    case 'l':
        o->config.lease_s = (uint32_t)value;
        break;
    case 'c':
        o->model.capacity.per_s = value;
        break;
    case 'q':
        o->model.capacity.queue = (size_t)value;
        break;
    case 'd':
        o->model.discover_cost = value;
        break;
    case 'R':
        o->model.release_cost = value;
        break;
    case 'm':
        o->model.capacity.commit_ns = (uint64_t)(value * 1e6);
        break;
    case 'j':
        o->model.capacity.jitter = value;
        break;
    case 's':
        o->model.capacity.seed = (uint64_t)value;
        break;
    case 'A':
        o->model.stall_at_ns = (uint64_t)(value * 1e9);
        break;
    default:
        o->model.stall_for_ns = (uint64_t)(value * 1e9);
        break;
    }
}

/* NULL, or what is wrong. */
static const char *take_number(struct reflector_options *o, int letter, const char *text)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        double value = 0;
        if (numbers[i].letter == letter) {
            if (!parse_number(text, numbers[i].least, numbers[i].most, &value)) {
                return numbers[i].wrong;
            }
            put_number(o, letter, value);
            return NULL;
        }
    }
    return "unknown option";
}

/* One of two words. */
static bool parse_word(const char *text, const char *no, const char *yes, bool *out)
{
    *out = strcmp(text, yes) == 0;
    return *out || strcmp(text, no) == 0;
}

static const struct option long_options[] = {{"address", required_argument, NULL, 'a'},
                                             {"base", required_argument, NULL, 'b'},
                                             {"lease", required_argument, NULL, 'l'},
                                             {"renew-to", required_argument, NULL, 'r'},
                                             {"capacity", required_argument, NULL, 'c'},
                                             {"queue", required_argument, NULL, 'q'},
                                             {"discover-cost", required_argument, NULL, 'd'},
                                             {"release-cost", required_argument, NULL, 'R'},
                                             {"commit-ms", required_argument, NULL, 'm'},
                                             {"jitter", required_argument, NULL, 'j'},
                                             {"seed", required_argument, NULL, 's'},
                                             {"stall-at", required_argument, NULL, 'A'},
                                             {"stall-for", required_argument, NULL, 'F'},
                                             {"stall-mode", required_argument, NULL, 'M'},
                                             {0}};

static const char *what_is_missing(const struct reflector_options *o)
{
    if (o->model.stall_at_ns > 0 && o->model.stall_for_ns == 0) {
        return "--stall-at needs --stall-for, as --stall-at 10 --stall-for 5";
    }
    if (o->model.capacity.commit_ns > 0 && o->model.capacity.per_s <= 0) {
        return "--commit-ms needs --capacity";
    }
    return NULL;
}

const char *reflector_options_parse(int argc, char **argv, struct reflector_options *out)
{
    *out = (struct reflector_options){.config.lease_s = 3600,
                                      .model.capacity = {.queue = QUEUE_DEFAULT, .seed = 1}};
    bool has_address = false, has_base = false;
    const char *wrong = NULL;
    for (int c; wrong == NULL && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 'a') {
            has_address = inet_parse(optarg, &out->config.address);
        } else if (c == 'b') {
            has_base = inet_parse_net(optarg, &out->config.base);
        } else if (c == 'r') {
            wrong = parse_word(optarg, "client", "source", &out->config.renew_to_source)
                        ? NULL
                        : "--renew-to is 'client' (ciaddr, port 68) or 'source'";
        } else if (c == 'M') {
            wrong = parse_word(optarg, "queue", "lose", &out->model.capacity.loses_in_a_stall)
                        ? NULL
                        : "--stall-mode is 'queue' or 'lose'";
            out->is_modelled = true;
        } else {
            wrong = take_number(out, c, optarg);
        }
    }
    if (wrong != NULL) {
        return wrong;
    }
    if (!has_address || !has_base || optind != argc) {
        return "--address A and --base NET are needed, as 10.0.0.1 and 10.128.0.0/10";
    }
    return what_is_missing(out);
}
