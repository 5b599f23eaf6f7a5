/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as the fields that a file server reads: ranges are within the file, dates are read back
 * as they were written, and the answer is one that the method and the fields allow. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "request/coding.h"
#include "request/file_answer.h"
#include "request/http_date.h"
#include "request/range.h"

#define NOW INT64_C(1700000000)

static const char *const names[] = {
        "Range",           "If-Range",          "If-Match",
        "If-None-Match",   "If-Modified-Since", "If-Unmodified-Since",
        "Accept-Encoding",
};

static void check_range(const char *value, uint64_t size)
{
        struct byte_range range;

        if (range_parse(value, size, &range) == 0)
                assert(range.size > 0 && range.first < size && range.size <= size - range.first);
}

static void check_date(const char *value)
{
        char text[HTTP_DATE_MAX];
        int64_t seconds, again;

        if (http_date_parse(value, NOW, &seconds) < 0 || seconds < 0 || seconds > HTTP_DATE_LAST)
                return;
        assert(http_date_parse(http_date_format(seconds, text), NOW, &again) == 0);
        assert(again == seconds);
}

static void check_answer(const struct request *request, uint64_t size)
{
        const struct file_facts facts = {
                .inode = 1, .size = size, .modified = 784111777, .now = NOW, .type = "text/plain"};
        struct arena arena = {0};
        struct response response = {0};
        struct byte_range range;
        int r = file_answer(request, &facts, &arena, &response, &range);

        assert(r >= 0);
        if (r == 0)
                assert(response.status == 412 || response.status == 416);
        else if (response.status == 206)
                assert(range.size > 0 && range.first < size && range.size <= size - range.first);
        else
                assert((response.status == 200 || response.status == 304) && range.first == 0 &&
                       range.size == size);
        arena_free(&arena);
}

/* The lines of the data are fields; the first byte of each says which. */
static size_t split(char *text, struct header *headers, size_t max)
{
        size_t n = 0;
        char *line;

        while (n < max && (line = strsep(&text, "\n"))) {
                const char *name = names[(unsigned char)line[0] % 7];
                const char *value = line[0] ? line + 1 : line;

                headers[n++] = (struct header){.name = name,
                                               .value = value,
                                               .name_size = strlen(name),
                                               .value_size = strlen(value)};
        }
        return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the size of the file, for some a size that is hard to count with. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct header headers[8];
        struct request request = {.method = "GET", .headers = headers};
        uint64_t file_size;
        char *text;

        if (size == 0)
                return 0;
        text = strndup((const char *)data + 1, size - 1);
        assert(text);
        file_size = data[0] < 250 ? data[0] : UINT64_MAX - (255 - data[0]);
        request.n_headers = split(text, headers, 8);
        for (size_t i = 0; i < request.n_headers; i++) {
                check_range(headers[i].value, file_size);
                check_date(headers[i].value);
        }
        assert(coding_quality(&request, "gzip") <= 1000);
        check_answer(&request, file_size);
        free(text);
        return 0;
}
