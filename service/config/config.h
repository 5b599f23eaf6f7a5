/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration as data: every setting with its value and where that value came from.
 *
 * Read by the master and the verbs; workers inherit the result through fork() and never read a
 * file. Pure but for reading the files it is told to read; no logging: whoever loads decides what
 * to do with the problems.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/problems.h"

/* A record that finds the log buffer full waits up to block_usec, 0 or more, then is dropped. */
struct log_overflow {
        uint64_t block_usec;
};

/* Size of a setting that is a text, with its NUL. */
#define CONFIG_TEXT_MAX 1024

/* Which access records are written: [log] access. */
enum {
        ACCESS_OFF = 0,
        ACCESS_ALL = 1,
        ACCESS_ERRORS = INT32_MAX, /* none of the requests that went well */
};

/* Whether connections begin with a PROXY header: [http] proxy_protocol. */
enum {
        PROXY_PROTOCOL_OFF,
        PROXY_PROTOCOL_V1V2,
};

/* What is asked of a TLS client's certificate: [tls] client_certificate. */
enum {
        TLS_CLIENTS_NONE,
        TLS_CLIENTS_OPTIONAL,
        TLS_CLIENTS_REQUIRED,
};

/* Worker processes: [server] workers. A range has its upper end in the upper half. */
#define WORKERS_MAX         256
#define WORKERS_RANGE_SHIFT 16

/** workers_range() - MIN-MAX as one value; MIN is less than MAX. */
static inline uint32_t workers_range(uint32_t min, uint32_t max)
{
        return min | max << WORKERS_RANGE_SHIFT;
}

/** workers_min() - the number, or the lower end; workers_max() - the upper end; 0: it is no range.
 */
static inline uint32_t workers_min(uint32_t workers)
{
        return workers & ((UINT32_C(1) << WORKERS_RANGE_SHIFT) - 1);
}

static inline uint32_t workers_max(uint32_t workers)
{
        return workers >> WORKERS_RANGE_SHIFT;
}

/* The C type behind each type that config.def uses. */
typedef uint32_t setting_count;    /* a whole number */
typedef uint32_t setting_workers;  /* auto: 0, a whole number, or what workers_range() gives */
typedef uint64_t setting_size;     /* bytes */
typedef uint64_t setting_duration; /* microseconds */
typedef uint64_t setting_seconds;  /* microseconds too, a multiple of USEC_PER_SEC */
typedef uint32_t setting_choice;   /* 1: yes, 0: no */
typedef uint32_t setting_level;    /* a syslog level, by its name */
typedef struct log_overflow setting_overflow;
typedef uint32_t setting_extra_fields;       /* a set of EXTRA_FIELD_* bits */
typedef uint32_t setting_access;             /* of the requests that went well one in so many is
                                                recorded, or one of ACCESS_* */
typedef char setting_name[CONFIG_TEXT_MAX];  /* a text, "" for none */
typedef char setting_peers[CONFIG_TEXT_MAX]; /* what address_set_parse() reads */
typedef char setting_files[CONFIG_TEXT_MAX]; /* names of files, separated by commas */
typedef char setting_text[CONFIG_TEXT_MAX];  /* what another library reads */
typedef uint32_t setting_tls_clients;        /* one of TLS_CLIENTS_* */
typedef uint32_t setting_proxy_protocol;     /* one of PROXY_PROTOCOL_* */

/* Access fields that are recorded on demand: [log] access_fields. */
enum {
        EXTRA_FIELD_USER_AGENT = 1 << 0,
        EXTRA_FIELD_REFERER = 1 << 1,
        EXTRA_FIELD_HTTP_HOST = 1 << 2,
        EXTRA_FIELD_TRACE_ID = 1 << 3,
};

/* One key of an [app NAME] section, as written; its kind checks it. */
struct app_key {
        char *name;
        char *value;
        struct origin origin;
};

/* Where each common key of an [app NAME] section was written. */
struct app_origins {
#define APP_SETTING(key, value, doc) struct origin key;
#include "config/config.def"
};

/* One [app NAME] section. */
struct app_config {
        char *name;    /* [a-z0-9-]+, 1 to 32 characters, unique */
        char *type;    /* the kind's name, "native" */
        char *mount;   /* "/" or "/a/b" without a slash at the end, unique but for fallbacks */
        bool fallback; /* gives way to another application at the same mount */
        uint64_t request_timeout; /* USEC_NEVER: that of [http] */
        char *directory;      /* of the first file with this section: relative paths start there */
        struct origin origin; /* its first "[app NAME]" line; file NULL: the command line */
        struct app_origins origins; /* of its common keys */
        struct app_key *keys;       /* all but the common keys, in order of appearance */
        size_t n_keys;
};

struct config {
#define SETTING(section, key, type, value, min, max, doc) setting_##type section##_##key;
#include "config/config.def"
        struct app_config *apps;
        size_t n_apps;
        struct origin *origins; /* one a SETTING row, in their order; file NULL: the default */
        char **files;           /* the names that the origins point into */
        size_t n_files;
};

/* Where a configuration comes from. */
struct config_source {
        const char *file;    /* NULL: none */
        const char *drop_in; /* a folder: its *.ini follow by name; may be NULL or missing */
        bool file_optional;  /* a missing @file is no problem */
        /* Judges types and keys of the applications, which a layer above knows; adds problems.
         * NULL: nobody does. */
        int (*check_apps)(const struct config *config, struct problems *problems);
};

/**
 * config_load() - read, check and complete a configuration
 * @ret:      the configuration; the caller frees it with config_free(). Untouched on failure.
 * @source:   what to read
 * @problems: gets every problem of every file: file:line, key, what was expected, nearest name
 *
 * Within a file a key may be given once; a later file overrides an earlier one key by key. A
 * fallback application gives way to another at its mount and is not in the result. Blocks on the
 * file system.
 *
 * Return: 0; -EINVAL when problems were added, -ENOMEM.
 */
int config_load(struct config **ret, const struct config_source *source, struct problems *problems);

/** config_free() - free a configuration; accepts NULL. */
void config_free(struct config *config);

/**
 * config_add_app() - add an application that no file names (the TARGET of the command line)
 * @name: @type: @mount: @key: @value: copied; @key is the one key that its kind needs
 *
 * Return: 0, or -ENOMEM.
 */
int config_add_app(struct config *config, const char *name, const char *type, const char *mount,
                   const char *key, const char *value);

/** app_config_get() - the value of a key that is none of the common ones, or NULL. */
const char *app_config_get(const struct app_config *app, const char *key);

/**
 * config_print() - write the effective configuration for a person: value, origin, limits, meaning
 *
 * The output is itself a valid configuration file that yields the same settings.
 */
void config_print(const struct config *config, FILE *stream);
