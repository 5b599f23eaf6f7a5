/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From "pkg.mod:app" to the object that is called. */
#include "wsgi/load.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_NAME "application"

/* sys.path: where `import` looks. In front, as the working directory of a script is. */
static int look_in(const char *folder, size_t size, Py_ssize_t at)
{
        PyObject *path = PySys_GetObject("path"); /* borrowed */
        _cleanup_object_ PyObject *item =
                PyUnicode_DecodeFSDefaultAndSize(folder, (Py_ssize_t)size);

        return path && item ? PyList_Insert(path, at, item) : -1;
}

static int look_in_all(const char *folders)
{
        Py_ssize_t at = 0;

        while (*folders) {
                size_t size = strcspn(folders, ":");

                if (size > 0 && look_in(folders, size, at++) < 0)
                        return -1;
                folders += size + (folders[size] == ':');
        }
        return 0;
}

static int prepare(const struct target *target)
{
        char folder[PATH_MAX];

        if (target->chdir && chdir(target->chdir) < 0) {
                (void)PyErr_SetFromErrnoWithFilename(PyExc_OSError, target->chdir);
                return -1;
        }
        if (getcwd(folder, sizeof(folder)) && look_in(folder, strlen(folder), 0) < 0)
                return -1;
        return target->pythonpath ? look_in_all(target->pythonpath) : 0;
}

/* "a.b.c" of an object. */
static PyObject *attribute_of(PyObject *object, const char *names)
{
        PyObject *found = Py_NewRef(object);

        while (found && *names) {
                size_t size = strcspn(names, ".");
                _cleanup_object_ PyObject *name =
                        PyUnicode_DecodeUTF8(names, (Py_ssize_t)size, NULL);
                PyObject *next = name ? PyObject_GetAttr(found, name) : NULL;

                Py_SETREF(found, next);
                names += size + (names[size] == '.');
        }
        return found;
}

static PyObject *resolve(PyObject *module, const char *name, size_t size)
{
        static const char call[] = "()";
        bool is_factory = size > 2 && memcmp(name + size - 2, call, 2) == 0;
        char names[256];
        PyObject *found, *made;

        if (is_factory)
                size -= 2;
        if (size == 0 || size >= sizeof(names)) {
                PyErr_SetString(PyExc_ValueError, "module: 'MODULE:NAME' or 'MODULE:FACTORY()'");
                return NULL;
        }
        memcpy(names, name, size);
        names[size] = '\0';
        found = attribute_of(module, names);
        if (!found || !is_factory)
                return found;
        made = PyObject_CallNoArgs(found);
        Py_DECREF(found);
        return made;
}

PyObject *load_application(const struct target *target)
{
        const char *colon = strchr(target->module, ':');
        size_t size = colon ? (size_t)(colon - target->module) : strlen(target->module);
        const char *name = colon ? colon + 1 : DEFAULT_NAME;
        _cleanup_object_ PyObject *module_name = NULL;
        _cleanup_object_ PyObject *module = NULL;
        PyObject *application;

        if (prepare(target) < 0)
                return NULL;
        module_name = PyUnicode_DecodeUTF8(target->module, (Py_ssize_t)size, NULL);
        module = module_name ? PyImport_Import(module_name) : NULL;
        application = module ? resolve(module, name, strlen(name)) : NULL;
        if (application && !PyCallable_Check(application)) {
                (void)PyErr_Format(PyExc_TypeError, "module: %s is no callable, but a '%.100s'",
                                   target->module, Py_TYPE(application)->tp_name);
                Py_CLEAR(application);
        }
        return application;
}
