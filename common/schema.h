/* SPDX-License-Identifier: MIT */
/*
 * Typed tables that describe a YAML file: one row per key with type, unit,
 * range, default and help. From the one table come the parser, the defaults,
 * the range checks, the nearest-key suggestion, the reference in the man page
 * and the effective file that can be parsed again.
 *
 * schema_parse() fills a caller's struct by offset. Lists and maps of blocks
 * are rows with a nested table: each element is appended through the row's
 * `array` description. Scalars that need their own grammar (addresses,
 * "2000/s", "60s", "300") are types here, not callbacks, so that the grammar
 * of values is the same everywhere.
 *
 * Pure (libyaml parses the caller's bytes). Parsed structs own their arrays:
 * schema_free() with the same table releases them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attrs.h"
#include "common/diag.h"

enum schema_type {
    SCHEMA_BOOL,          /* bool                                                     */
    SCHEMA_UINT,          /* uint64_t, plain number, also 20_000                       */
    SCHEMA_DURATION,      /* uint64_t ns: 500us 100ms 4s 30m 8h; unit mandatory        */
    SCHEMA_RATE,          /* uint64_t milli-per-second: 2000/s, 0.5/s; unit mandatory  */
    SCHEMA_PERCENT,       /* double: "5%"; unit mandatory                              */
    SCHEMA_TEXT,          /* char[size]; printable UTF-8, bounded by `size` - 1        */
    SCHEMA_NAME,          /* char[size]; [A-Za-z0-9][A-Za-z0-9._-]*                    */
    SCHEMA_IPV4,          /* struct ipv4                                               */
    SCHEMA_IPV4_NET,      /* struct ipv4_net                                           */
    SCHEMA_ENUM,          /* int; one of `words`                                       */
    SCHEMA_FLAGS,         /* unsigned; list of `words`, bit i for word i               */
    SCHEMA_BLOCK,         /* nested struct, `rows`                                     */
    SCHEMA_LIST,          /* sequence of blocks -> array of structs                    */
    SCHEMA_MAP,           /* mapping NAME: block -> array; the name goes to field 0, char[64]   */
    SCHEMA_IPV4_LIST,     /* sequence of addresses -> array of struct ipv4        */
    SCHEMA_IPV4_NET_LIST, /* sequence of prefixes -> array of struct ipv4_net     */
    SCHEMA_TEXT_LIST      /* sequence of scalars -> array of char[size], or see `rows` */
};

enum {
    SCHEMA_FILE_BYTES_MAX = 4 * 1024 * 1024,
    SCHEMA_DEPTH_MAX = 16,
    SCHEMA_ITEMS_MAX = 65536,   /* of one list */
    SCHEMA_ROWS_MAX = 64,       /* of one block */
    SCHEMA_MAP_NAME_BYTES = 64, /* field 0 of a SCHEMA_MAP's element; row->max names another size */
    SCHEMA_MAP_ITEMS_MAX = 4096
};

/* What SCHEMA_LIST, SCHEMA_MAP and the *_LIST types fill: a grown array. */
struct schema_array {
    void *items;
    size_t count;
};

/*
 * A plain 0 needs no unit. A number may have up to six decimals where the type
 * has a unit, and underscores between digits. With `rows`, a SCHEMA_TEXT_LIST
 * fills an array of structs of `size` bytes, each text going to rows[0] (its
 * offset, size and line).
 *
 * A block that is not required but has required keys needs present_offset_plus_1:
 * without it "absent" and "present, all zero" could not be told apart.
 */
struct schema_row {
    const char *key;
    enum schema_type type;
    size_t offset;      /* of the field in the struct */
    size_t size;        /* TEXT/NAME: bytes of the field; LIST/MAP/TEXT_LIST: of an element */
    const char *unit;   /* for --help and the man page; NULL if none */
    uint64_t min, max;  /* UINT, DURATION (ns), RATE (milli/s), PERCENT; both 0: not checked;
                           max 0: no upper end; *LIST: how many elements; MAP: see above */
    const char *preset; /* default as it would stand in the file; NULL: zeroed */
    bool is_required;
    const char *const *words;      /* ENUM, FLAGS: NULL-terminated */
    const struct schema_row *rows; /* BLOCK, LIST, MAP: terminated by key == NULL */
    size_t present_offset_plus_1;  /* 0, or 1 + offset of a bool that says "was given" */
    size_t line_offset_plus_1;     /* 0, or 1 + offset of an unsigned: line of the key */
    const char *help;              /* one sentence */
};

/*
 * Parses `text` (the bytes of the file named in `why`) into `out`, which the
 * caller has zeroed. Every problem goes to `why`; false if there is any, and
 * `out` owns nothing then. Presets are filled in also inside absent blocks.
 */
NODISCARD bool schema_parse(const struct schema_row *rows, const char *text, size_t bytes,
                            void *out, struct diag *why);
/*
 * The same, but `out` keeps what could be read when there are problems, so that
 * checks across keys can report theirs along with them: a value that was refused
 * is zero, its line and present flag are set. schema_free() in either case.
 */
NODISCARD bool schema_parse_partial(const struct schema_row *rows, const char *text, size_t bytes,
                                    void *out, struct diag *why);
void schema_free(const struct schema_row *rows, void *parsed);

/*
 * The effective file: every key with its value, defaults included; it parses
 * to the same struct again. Left out is what was not given: a key whose present
 * flag is false, and an optional key without preset that is zero or empty.
 * Returns a malloc'd string the caller frees; NULL when out of memory.
 */
NODISCARD char *schema_print(const struct schema_row *rows, const void *parsed);

/* Reference of all keys (type, unit, range, default, help); same ownership. */
NODISCARD char *schema_reference(const struct schema_row *rows);

/* The scalar grammars alone, for flags and judgements. `out` is untouched on failure. */
NODISCARD bool schema_scan_duration(const char *text, uint64_t *out_ns);
NODISCARD bool schema_scan_rate(const char *text, uint64_t *out_milli_per_s);
/* Nearest of NULL-terminated `words` to `text` by edit distance; NULL when none is near. */
const char *schema_nearest(const char *text, const char *const *words);
