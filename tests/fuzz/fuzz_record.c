/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any fields through the encoder and a parser of journald's native protocol that knows nothing of
 * it; any bytes through the decoder. */
#include "log/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* One field as the protocol's page describes it, read by a parser of its own: the first of '=' and
 * newline decides which form it has. */
struct parsed {
        const uint8_t *name, *value;
        size_t name_size, size;
};

static const uint8_t *parse_field(const uint8_t *at, const uint8_t *end, struct parsed *ret)
{
        const uint8_t *name = at;
        uint64_t size = 0;

        while (*at != '=' && *at != '\n') {
                assert((*at >= 'A' && *at <= 'Z') || *at == '_' || (*at >= '0' && *at <= '9'));
                at++;
                assert(at < end);
        }
        *ret = (struct parsed){.name = name, .name_size = (size_t)(at - name)};
        if (*at++ == '=') {
                for (ret->value = at; *at != '\n'; at++)
                        assert(at + 1 < end);
                ret->size = (size_t)(at - ret->value);
                return at + 1;
        }
        assert(end - at > 8);
        for (unsigned i = 0; i < 8; i++)
                size |= (uint64_t)at[i] << (8 * i);
        assert(size < (uint64_t)(end - at - 8) && at[8 + size] == '\n');
        ret->value = at + 8;
        ret->size = (size_t)size;
        return at + 8 + size + 1;
}

static void expect_same(const struct record *record, const char *encoded, size_t size)
{
        const uint8_t *at = (const uint8_t *)encoded, *end = at + size;
        const char *cursor = encoded;
        struct record_field field;
        struct parsed parsed;
        size_t name_size;

        for (size_t i = 0; i < record->n_fields; i++) {
                const struct record_field *wanted = &record->fields[i];

                at = parse_field(at, end, &parsed);
                assert(parsed.name_size == strlen(wanted->name) && parsed.size == wanted->size);
                assert(memcmp(parsed.name, wanted->name, parsed.name_size) == 0);
                assert(parsed.size == 0 || memcmp(parsed.value, wanted->value, parsed.size) == 0);

                assert(record_next_field(&cursor, encoded + size, &field, &name_size) == 1);
                assert((const uint8_t *)field.name == parsed.name && name_size == parsed.name_size);
                assert((const uint8_t *)field.value == parsed.value && field.size == parsed.size);
                assert((const uint8_t *)cursor == at);
        }
        assert(at == end);
        assert(record_next_field(&cursor, encoded + size, &field, &name_size) == 0);
}

/* A name out of the input, of at most six bytes; often no valid one, which the record refuses. */
static void take_name(char name[static 8], uint8_t seed)
{
        static const char letters[] = "AZ_09=\na";
        size_t size = seed % 7;

        for (size_t i = 0; i < size; i++)
                name[i] = letters[(seed >> (i % 6)) % (sizeof(letters) - 1)];
        name[size] = '\0';
}

/* Each field: a byte for the name, a byte for the size of the value, the value. */
static void encode_fields(const uint8_t *data, size_t size)
{
        char names[RECORD_FIELDS_MAX][8];
        struct record record;
        char *encoded;

        record_init(&record, RECORD_APP, size % 8);
        for (size_t i = 0; size >= 2 && i < RECORD_FIELDS_MAX; i++) {
                size_t value_size = data[1] < size - 2 ? data[1] : size - 2;

                take_name(names[i], data[0]);
                record_bytes(&record, names[i], data + 2, value_size);
                data += 2 + value_size;
                size -= 2 + value_size;
        }
        size = record_encoded_size(&record);
        encoded = malloc(size);
        assert(encoded);
        record_encode(&record, encoded);
        expect_same(&record, encoded, size);
        assert(record_encoded_kind(encoded, size) == RECORD_APP);
        free(encoded);
}

/* In memory of its own, so that a read beyond it is seen. */
static void decode_bytes(const uint8_t *data, size_t size)
{
        char *bytes = malloc(size > 0 ? size : 1);
        const char *cursor = bytes;
        struct record_field field;
        size_t name_size;

        assert(bytes);
        if (size > 0)
                memcpy(bytes, data, size);
        while (record_next_field(&cursor, bytes + size, &field, &name_size) > 0) {
                assert(name_size > 0 && field.name >= bytes);
                assert((const char *)field.value + field.size < bytes + size);
                assert(cursor == (const char *)field.value + field.size + 1);
        }
        (void)record_encoded_kind(bytes, size);
        free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        encode_fields(data, size);
        decode_bytes(data, size);
        return 0;
}
