/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wsgi.file_wrapper: a file as the body of a response.
 *
 * Used as any iterable when a middleware wraps it. Only of the classes that open() gives it is
 * known that what read() gives is what the descriptor has: gzip.GzipFile has a fileno(), too.
 */
#include "wsgi/file_wrapper.h"

#include <sys/stat.h>

#include "wsgi/names.h"

#define BLOCK_SIZE 8192

/* The classes that open() gives for bytes. */
enum { N_PLAIN = 3 };

static PyObject *plain[N_PLAIN];

struct file_wrapper {
        PyObject_HEAD PyObject *file;
        Py_ssize_t block;
};

static struct file_wrapper *wrapper_of(PyObject *object)
{
        return (struct file_wrapper *)object;
}

static PyObject *wrapper_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
        static char first[] = "filelike", second[] = "blksize";
        static char *names[] = {first, second, NULL};
        Py_ssize_t block = BLOCK_SIZE;
        struct file_wrapper *wrapper;
        PyObject *file;

        if (!PyArg_ParseTupleAndKeywords(args, named, "O|n:FileWrapper", names, &file, &block))
                return NULL;
        wrapper = (struct file_wrapper *)type->tp_alloc(type, 0);
        if (!wrapper)
                return NULL;
        wrapper->file = Py_NewRef(file);
        wrapper->block = block > 0 ? block : BLOCK_SIZE;
        return (PyObject *)wrapper;
}

static int wrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
        Py_VISIT(wrapper_of(self)->file);
        return 0;
}

static int wrapper_clear(PyObject *self)
{
        Py_CLEAR(wrapper_of(self)->file);
        return 0;
}

static void wrapper_dealloc(PyObject *self)
{
        PyObject_GC_UnTrack(self);
        (void)wrapper_clear(self);
        Py_TYPE(self)->tp_free(self);
}

static PyObject *wrapper_next(PyObject *self)
{
        struct file_wrapper *wrapper = wrapper_of(self);
        _cleanup_object_ PyObject *size = PyLong_FromSsize_t(wrapper->block);
        PyObject *block =
                size ? PyObject_CallMethodOneArg(wrapper->file, name_of(NAME_READ), size) : NULL;
        int more = block ? PyObject_IsTrue(block) : -1;

        if (more <= 0)
                Py_CLEAR(block);
        return block;
}

static PyObject *wrapper_close(PyObject *self, PyObject *nothing)
{
        PyObject *file = wrapper_of(self)->file;

        (void)nothing;
        if (!PyObject_HasAttr(file, name_of(NAME_CLOSE)))
                Py_RETURN_NONE;
        return PyObject_CallMethodNoArgs(file, name_of(NAME_CLOSE));
}

static PyMethodDef methods[] = {
        {"close", wrapper_close, METH_NOARGS, "Closes the file."},
        {0},
};

PyTypeObject file_wrapper_type = {
        PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_appsrv.FileWrapper",
        .tp_doc = "FileWrapper(filelike, blksize=8192): the blocks of a file.",
        .tp_basicsize = sizeof(struct file_wrapper),
        .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        .tp_new = wrapper_new,
        .tp_dealloc = wrapper_dealloc,
        .tp_traverse = wrapper_traverse,
        .tp_clear = wrapper_clear,
        .tp_iter = PyObject_SelfIter,
        .tp_iternext = wrapper_next,
        .tp_methods = methods,
};

/* -- what the kernel can send -- */

int file_wrapper_init(void)
{
        static const char *const names[N_PLAIN] = {"FileIO", "BufferedReader", "BufferedRandom"};
        _cleanup_object_ PyObject *io = PyImport_ImportModule("io");

        for (size_t i = 0; io && i < N_PLAIN; i++) {
                plain[i] = PyObject_GetAttrString(io, names[i]);
                if (!plain[i])
                        return -1;
        }
        return io ? 0 : -1;
}

static bool is_plain(PyObject *file)
{
        for (size_t i = 0; i < N_PLAIN; i++) {
                if (plain[i] == (PyObject *)Py_TYPE(file))
                        return true;
        }
        return false;
}

/* Where Python is in it: what a buffer has read ahead counts as not read. */
static bool place_of(PyObject *file, uint64_t *ret)
{
        _cleanup_object_ PyObject *place = PyObject_CallMethodNoArgs(file, name_of(NAME_TELL));
        long long at = place ? PyLong_AsLongLong(place) : -1;

        *ret = (uint64_t)at;
        return at >= 0;
}

static bool part_of(PyObject *file, struct file_part *ret)
{
        struct stat status;

        if (!is_plain(file))
                return false;
        ret->fd = PyObject_AsFileDescriptor(file);
        if (ret->fd < 0 || fstat(ret->fd, &status) < 0 || !S_ISREG(status.st_mode) ||
            !place_of(file, &ret->offset) || ret->offset > (uint64_t)status.st_size)
                return false;
        ret->size = (uint64_t)status.st_size - ret->offset;
        return true;
}

bool file_wrapper_part(PyObject *object, struct file_part *ret)
{
        bool found =
                Py_IS_TYPE(object, &file_wrapper_type) && part_of(wrapper_of(object)->file, ret);

        PyErr_Clear();
        return found;
}
