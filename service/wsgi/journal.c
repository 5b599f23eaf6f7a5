/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records of Python's logging as records of the server.
 *
 * The GIL is kept while the record is committed: that takes a microsecond, and giving the GIL away
 * at each call would hand the processor to another thread for up to 5 ms. Only when the journal
 * does not read and the log's buffer is full ([log] overflow) does all of Python wait with it.
 */
#include "wsgi/journal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wsgi/current.h"

/* Beyond it a text is cut, and FIELDS_CUT says so: no record may be too large for the log. */
#define MESSAGE_SIZE_MAX ((size_t)256 * 1024)
#define VALUE_SIZE_MAX   ((size_t)16 * 1024)

/* A name that clients could make the application invent must not fill the memory. */
#define NAMES_MAX 512

#define NAME_SIZE_MAX 64

/* The other fields of a record leave room for three: REQUEST_ID, FIELDS_DROPPED, FIELDS_CUT. */
#define EXTRA_MAX (APPSRV_FIELDS_MAX - 3)

/* A name and a value each, which may be text and its bytes. */
#define OWNERS_MAX (3 * APPSRV_FIELDS_MAX)

#define ATTRIBUTES                                                                                 \
        ATTRIBUTE(exc_info)                                                                        \
        ATTRIBUTE(funcName)                                                                        \
        ATTRIBUTE(levelno)                                                                         \
        ATTRIBUTE(lineno)                                                                          \
        ATTRIBUTE(name)                                                                            \
        ATTRIBUTE(pathname)

enum attribute {
#define ATTRIBUTE(name) ATTRIBUTE_##name,
        ATTRIBUTES
#undef ATTRIBUTE
                N_ATTRIBUTES
};

/* What logging.LogRecord and formatters set themselves. */
static const char *const own_names[] = {
        "args",     "asctime",     "created",    "exc_info",
        "exc_text", "filename",    "funcName",   "levelname",
        "levelno",  "lineno",      "message",    "module",
        "msecs",    "msg",         "name",       "pathname",
        "process",  "processName", "stack_info", "relativeCreated",
        "taskName", "thread",      "threadName", "_appsrv_committed",
};

static PyObject *attributes[N_ATTRIBUTES];
static PyObject *own;         /* the set of own_names */
static PyObject *field_names; /* dict: attribute to bytes, the name of its field */

/* One record on its way. */
struct draft {
        appsrv_field fields[APPSRV_FIELDS_MAX];
        PyObject *owners[OWNERS_MAX]; /* of names and values */
        size_t n;
        size_t n_owners;
        size_t n_dropped; /* fields that found no room */
        size_t n_cut;
};

int journal_init(void)
{
        static const char *const names[] = {
#define ATTRIBUTE(name) #name,
                ATTRIBUTES
#undef ATTRIBUTE
        };

        for (size_t i = 0; i < N_ATTRIBUTES; i++) {
                attributes[i] = PyUnicode_InternFromString(names[i]);
                if (!attributes[i])
                        return -1;
        }
        own = PySet_New(NULL);
        field_names = PyDict_New();
        for (size_t i = 0; own && i < sizeof(own_names) / sizeof(own_names[0]); i++) {
                _cleanup_object_ PyObject *name = PyUnicode_InternFromString(own_names[i]);

                if (!name || PySet_Add(own, name) < 0)
                        return -1;
        }
        return own && field_names ? 0 : -1;
}

/* -- fields -- */

static void add(struct draft *draft, const char *name, const char *value, size_t size, size_t most)
{
        /* Not in the middle of a character. */
        if (size > most) {
                draft->n_cut++;
                size = most;
                while (size > 0 && ((unsigned char)value[size] & 0xc0) == 0x80)
                        size--;
        }
        draft->fields[draft->n++] = (appsrv_field){name, value, size};
}

/* Until the record is committed. */
static PyObject *own_it(struct draft *draft, PyObject *object)
{
        if (object)
                draft->owners[draft->n_owners++] = object;
        return object;
}

/* A str as UTF-8; what cannot be encoded (lone surrogates) is escaped. Return: false when there is
 * no memory. */
static bool add_text(struct draft *draft, const char *name, PyObject *text, size_t most)
{
        Py_ssize_t size;
        const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
        PyObject *bytes;

        if (utf8) {
                add(draft, name, utf8, (size_t)size, most);
                return true;
        }
        PyErr_Clear();
        bytes = own_it(draft, PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
        if (!bytes)
                return false;
        add(draft, name, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), most);
        return true;
}

/* Any object: what str() makes of it, and what it is when that fails. */
static bool add_value(struct draft *draft, const char *name, PyObject *value)
{
        PyObject *text;

        if (PyUnicode_Check(value))
                return add_text(draft, name, value, VALUE_SIZE_MAX);
        if (PyBytes_Check(value)) {
                add(draft, name, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value),
                    VALUE_SIZE_MAX);
                return true;
        }
        text = PyObject_Str(value);
        if (!text) {
                PyErr_Clear();
                text = PyUnicode_FromFormat("<%s without a text>", Py_TYPE(value)->tp_name);
        }
        return own_it(draft, text) && add_text(draft, name, text, VALUE_SIZE_MAX);
}

/* Fields that a record has by itself, and the text that comes with it. */
static bool is_taken(const char *name)
{
        static const char *const taken[] = {"MESSAGE",   "LOGGER",    "CODE_FILE",
                                            "CODE_FUNC", "CODE_LINE", "EXCEPTION"};

        for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
                if (strcmp(name, taken[i]) == 0)
                        return true;
        }
        return false;
}

/* "user-id": "USER_ID"; what belongs to the server or the journal gets "X_" in front, as does what
 * begins with no letter. Return: whether there is such a name. */
static bool make_name(char name[static NAME_SIZE_MAX + 1], const char *attribute)
{
        enum { PREFIX = 2 };
        char text[PREFIX + NAME_SIZE_MAX + 1] = "X_";
        size_t size = PREFIX;

        for (const char *byte = attribute; *byte && size < sizeof(text) - 1; byte++) {
                bool lower = *byte >= 'a' && *byte <= 'z';
                bool passed = (*byte >= 'A' && *byte <= 'Z') || (*byte >= '0' && *byte <= '9');

                text[size++] = (char)(lower ? *byte - 'a' + 'A' : passed ? *byte : '_');
        }
        text[size] = '\0';
        (void)snprintf(name, NAME_SIZE_MAX + 1, "%s", text + PREFIX);
        if (appsrv_may_log(name) && !is_taken(name))
                return true;
        text[NAME_SIZE_MAX] = '\0';
        (void)snprintf(name, NAME_SIZE_MAX + 1, "%s", text);
        return appsrv_may_log(name);
}

/* Return: bytes, borrowed; NULL without an exception when the attribute is no field. */
static PyObject *field_name(PyObject *attribute)
{
        char name[NAME_SIZE_MAX + 1];
        PyObject *found = PyDict_GetItemWithError(field_names, attribute);
        const char *text;
        bool stored;

        if (found)
                return found;
        text = PyUnicode_AsUTF8(attribute);
        if (!text || !make_name(name, text))
                return NULL;
        if (PyDict_GET_SIZE(field_names) >= NAMES_MAX)
                PyDict_Clear(field_names);
        found = PyBytes_FromString(name);
        stored = found && PyDict_SetItem(field_names, attribute, found) == 0;
        Py_XDECREF(found);
        return stored ? found : NULL;
}

static bool is_own(PyObject *name)
{
        return !PyUnicode_Check(name) || PySet_Contains(own, name) != 0;
}

/* Anything else would make the whole record invalid. */
static const char *checked_name(const char *name, PyObject *value)
{
        static const char id[] = "MESSAGE_ID";
        enum { ID_SIZE = 32 };
        const char *text;

        if (strcmp(name, id) != 0)
                return name;
        text = PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : NULL;
        PyErr_Clear();
        return text && strlen(text) == ID_SIZE && strspn(text, "0123456789abcdefABCDEF") == ID_SIZE
                       ? id
                       : "X_MESSAGE_ID";
}

static bool add_field(struct draft *draft, PyObject *name, PyObject *value)
{
        PyObject *field = own_it(draft, Py_NewRef(name));

        return add_value(draft, checked_name(PyBytes_AS_STRING(field), value), value);
}

/* The dict is not the record's any more: str() of a value may do anything with that. */
static bool add_extra(struct draft *draft, PyObject *attributes_of_record)
{
        PyObject *name, *value;
        Py_ssize_t at = 0;
        bool ok = true;

        while (ok && PyDict_Next(attributes_of_record, &at, &name, &value)) {
                PyObject *field = is_own(name) ? NULL : field_name(name);

                if (field && draft->n >= EXTRA_MAX)
                        draft->n_dropped++;
                else if (field)
                        ok = add_field(draft, field, value);
        }
        PyErr_Clear();
        return ok;
}

static PyObject *attribute_of(PyObject *record, enum attribute attribute)
{
        return PyDict_GetItemWithError(record, attributes[attribute]); /* borrowed */
}

static bool add_attribute(struct draft *draft, const char *name, PyObject *record,
                          enum attribute attribute)
{
        PyObject *value = attribute_of(record, attribute);

        if (!value || value == Py_None)
                return true;
        return add_value(draft, name, value);
}

/* "ValueError", "decimal.InvalidOperation". */
static bool add_exception(struct draft *draft, PyObject *record)
{
        PyObject *info = attribute_of(record, ATTRIBUTE_exc_info);
        PyObject *type = info && PyTuple_Check(info) && PyTuple_GET_SIZE(info) > 0
                                 ? PyTuple_GET_ITEM(info, 0)
                                 : NULL;

        if (!type || !PyType_Check(type))
                return true;
        add(draft, "EXCEPTION", ((PyTypeObject *)type)->tp_name,
            strlen(((PyTypeObject *)type)->tp_name), VALUE_SIZE_MAX);
        return true;
}

static bool add_usual(struct draft *draft, PyObject *record, PyObject *text)
{
        return add_text(draft, "MESSAGE", text, MESSAGE_SIZE_MAX) &&
               add_attribute(draft, "LOGGER", record, ATTRIBUTE_name) &&
               add_attribute(draft, "CODE_FILE", record, ATTRIBUTE_pathname) &&
               add_attribute(draft, "CODE_LINE", record, ATTRIBUTE_lineno) &&
               add_attribute(draft, "CODE_FUNC", record, ATTRIBUTE_funcName) &&
               add_exception(draft, record);
}

static void drop(struct draft *draft)
{
        while (draft->n_owners > 0)
                Py_DECREF(draft->owners[--draft->n_owners]);
}

/* -- commit -- */

int journal_level(long level)
{
        static const struct {
                long from;
                int level;
        } levels[] = {{50, APPSRV_CRIT},   {40, APPSRV_ERR},  {30, APPSRV_WARNING},
                      {25, APPSRV_NOTICE}, {20, APPSRV_INFO}, {0, APPSRV_DEBUG}};
        size_t i = 0;

        while (level < levels[i].from && levels[i].from > 0)
                i++;
        return levels[i].level;
}

static int level_of(PyObject *record)
{
        PyObject *value = attribute_of(record, ATTRIBUTE_levelno);
        long level = value && PyLong_Check(value) ? PyLong_AsLong(value) : 0;

        PyErr_Clear();
        return journal_level(level);
}

/* In a child of fork(): its lines come out of the worker's standard error, one write each. */
static void print_line(const char *text, size_t size)
{
        char line[4096];
        int n = snprintf(line, sizeof(line), "%.*s\n",
                         (int)(size < sizeof(line) ? size : sizeof(line)), text);

        if (n >= (int)sizeof(line)) {
                n = (int)sizeof(line) - 1;
                line[n - 1] = '\n';
        }
        (void)!write(STDERR_FILENO, line, (size_t)n);
}

#define NUMBER_SIZE 24

/* Nothing is left out or cut without a word. */
static void add_count(struct draft *draft, const char *name, size_t count,
                      char text[static NUMBER_SIZE])
{
        if (count == 0)
                return;
        (void)snprintf(text, NUMBER_SIZE, "%zu", count);
        add(draft, name, text, strlen(text), NUMBER_SIZE);
}

static void hand_over(struct draft *draft, int level)
{
        struct current here = current_here();
        _cleanup_object_ PyObject *id = NULL;
        char dropped[NUMBER_SIZE], cut[NUMBER_SIZE];
        const char *text;

        add_count(draft, "FIELDS_DROPPED", draft->n_dropped, dropped);
        add_count(draft, "FIELDS_CUT", draft->n_cut, cut);
        if (current_forked()) {
                print_line(draft->fields[0].value, draft->fields[0].len);
                return;
        }
        if (!here.ctx)
                return;
        if (!here.req) {
                id = current_id();
                text = id ? PyUnicode_AsUTF8(id) : NULL;
                if (text)
                        add(draft, "REQUEST_ID", text, strlen(text), VALUE_SIZE_MAX);
        }
        (void)appsrv_logv(here.ctx, here.req, level, draft->fields, draft->n);
}

/* Whether it is kept anyway is asked before the work. */
static bool is_wanted(int level)
{
        struct current here = current_here();

        return !here.ctx || appsrv_log_enabled(here.ctx, level);
}

PyObject *journal_commit(PyObject *module, PyObject *const *args, Py_ssize_t n)
{
        struct draft draft = {.n = 0};
        _cleanup_object_ PyObject *record = NULL;
        _cleanup_object_ PyObject *copy = NULL;
        int level;

        (void)module;
        if (n != 2 || !PyUnicode_Check(args[1])) {
                PyErr_SetString(PyExc_TypeError, "commit(record, text)");
                return NULL;
        }
        record = PyObject_GenericGetDict(args[0], NULL);
        if (!record)
                return NULL;
        level = level_of(record);
        if (!is_wanted(level))
                Py_RETURN_NONE;
        copy = PyDict_Copy(record);
        if (copy && add_usual(&draft, copy, args[1]) && add_extra(&draft, copy))
                hand_over(&draft, level);
        drop(&draft);
        if (PyErr_Occurred())
                return NULL;
        Py_RETURN_NONE;
}

void journal_text(int level, const char *text)
{
        struct draft draft = {.n = 0};

        add(&draft, "MESSAGE", text, strlen(text), MESSAGE_SIZE_MAX);
        add(&draft, "LOGGER", "appsrv.wsgi", strlen("appsrv.wsgi"), VALUE_SIZE_MAX);
        hand_over(&draft, level);
}
