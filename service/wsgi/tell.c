/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this plug-in itself has to say. */
#include "wsgi/tell.h"

#include <stdarg.h>
#include <stdio.h>

#include "wsgi/journal.h"
#include "wsgi/names.h"

#define TEXT_MAX 1024

void tell(int level, const char *format, ...)
{
        char text[TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        journal_text(level, text);
}

/* The calling thread has no exception when it is done. */
static PyObject *take_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
        return PyErr_GetRaisedException();
#else
        PyObject *type, *value, *traceback;

        PyErr_Fetch(&type, &value, &traceback);
        PyErr_NormalizeException(&type, &value, &traceback);
        if (value && traceback)
                (void)PyException_SetTraceback(value, traceback);
        Py_XDECREF(type);
        Py_XDECREF(traceback);
        return value;
#endif
}

static void give_exception_back(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030c0000
        PyErr_SetRaisedException(exception);
#else
        PyObject *traceback = PyException_GetTraceback(exception);

        PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, traceback);
#endif
}

void tell_exception(const char *what)
{
        _cleanup_object_ PyObject *exception = take_exception();
        _cleanup_object_ PyObject *module = PyImport_ImportModule("appsrv.logging");
        _cleanup_object_ PyObject *text = module ? PyUnicode_FromString(what) : NULL;
        _cleanup_object_ PyObject *done = NULL;

        if (text)
                done = PyObject_CallMethodObjArgs(module, name_of(NAME_EXCEPTION), text,
                                                  exception ? exception : Py_None, NULL);
        if (done)
                return;
        PyErr_Clear();
        journal_text(APPSRV_ERR, what);
}

void tell_last_line(char *text, size_t room)
{
        PyObject *exception = take_exception();
        _cleanup_object_ PyObject *string = exception ? PyObject_Str(exception) : NULL;
        const char *utf8 = string ? PyUnicode_AsUTF8(string) : NULL;

        PyErr_Clear();
        if (!exception) {
                (void)snprintf(text, room, "unknown error");
                return;
        }
        (void)snprintf(text, room, "%s%s%s", Py_TYPE(exception)->tp_name, utf8 && *utf8 ? ": " : "",
                       utf8 ? utf8 : "");
        give_exception_back(exception);
}
