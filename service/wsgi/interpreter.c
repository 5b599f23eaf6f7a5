/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One interpreter for all applications of a process: extension modules that keep state in globals
 * (numpy, lxml) work in the first one only.
 *
 * It is never finalised. Py_FinalizeEx() takes the state of daemon threads and extension modules
 * away from under them, and the process ends anyway.
 */
#include "wsgi/interpreter.h"

#include <appsrv/appsrv.h>

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wsgi/current.h"
#include "wsgi/module.h"
#include "wsgi/probe.h"

struct interpreter {
        unsigned users;
        PyInterpreterState *state;
        char virtualenv[PATH_MAX]; /* "": none */
        unsigned forking;          /* applications that were made ready for a fork of the server */
};

static struct interpreter interpreter;

/* Kept from request to request: making one costs more than a small request. */
static _Thread_local PyThreadState *own_state;

static atomic_uint entries;

/* Extension modules are not linked with libpython (Debian, Fedora): they expect its symbols in the
 * global scope, and a plug-in is loaded into its own. */
static int share_symbols(char why[static WHY_MAX])
{
        Dl_info info;

        if (dladdr((const void *)Py_IsInitialized, &info) == 0 || !info.dli_fname ||
            !dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_GLOBAL)) {
                (void)snprintf(why, WHY_MAX, "the library of Python is not found again");
                return -ENOENT;
        }
        return 0;
}

/* Where `appsrv` of this server is: beside the plug-in. */
static int package_folder(char folder[static PATH_MAX])
{
        Dl_info info;
        const char *slash;
        int n;

        if (dladdr((const void *)package_folder, &info) == 0 || !info.dli_fname)
                return -ENOENT;
        slash = strrchr(info.dli_fname, '/');
        n = snprintf(folder, PATH_MAX, "%.*s/python", slash ? (int)(slash - info.dli_fname) : 1,
                     slash ? info.dli_fname : ".");
        return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Return: 0; else why the file of the environment cannot be had. */
static int look_for(const char *virtualenv, const char *name, int mode, char path[static PATH_MAX],
                    char why[static WHY_MAX])
{
        int n = snprintf(path, PATH_MAX, "%s/%s", virtualenv, name);
        int r = n >= PATH_MAX ? -ENAMETOOLONG : access(path, mode) < 0 ? -errno : 0;

        if (r < 0)
                (void)snprintf(why, WHY_MAX, "virtualenv: %.300s: %s", path, strerror(-r));
        return r;
}

/* Modules of a virtual environment are compiled for one version. */
static int check_version(const char *virtualenv, char why[static WHY_MAX])
{
        char name[32], path[PATH_MAX];
        int r;

        (void)snprintf(name, sizeof(name), "lib/python%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION);
        r = look_for(virtualenv, name, R_OK, path, why);
        if (r == -ENOENT)
                (void)snprintf(why, WHY_MAX,
                               "virtualenv: %.300s was not made for Python %d.%d, which this "
                               "server has",
                               virtualenv, PY_MAJOR_VERSION, PY_MINOR_VERSION);
        return r;
}

/* As the python of the environment: what is beside it (pyvenv.cfg) says where its packages are, and
 * without that Python would take those of the system. */
static int find_program(char program[static PATH_MAX], const char *virtualenv,
                        char why[static WHY_MAX])
{
        int r;

        if (!virtualenv) {
                (void)snprintf(program, PATH_MAX, "%s", WSGI_PYTHON);
                return 0;
        }
        r = look_for(virtualenv, "pyvenv.cfg", R_OK, program, why);
        if (r == 0)
                r = check_version(virtualenv, why);
        if (r == 0)
                r = look_for(virtualenv, "bin/python3", X_OK, program, why);
        return r;
}

/* UTF-8 mode (PEP 540): a service has no locale, and its files are not ASCII. */
static PyStatus initialise(const char *program)
{
        static char name[] = "appsrv";
        PyPreConfig before;
        PyConfig config;
        PyStatus status;

        PyPreConfig_InitIsolatedConfig(&before);
        before.utf8_mode = 1;
#ifdef __SANITIZE_ADDRESS__
        before.allocator = PYMEM_ALLOCATOR_MALLOC;
#endif
        status = Py_PreInitialize(&before);
        if (PyStatus_Exception(status))
                return status;
        PyConfig_InitIsolatedConfig(&config);
        /* What was compiled is told from what was written since by size and second alone: a file
         * that is changed twice in one is another one (`serve --reload`). */
        config.write_bytecode = getenv("APPSRV_RELOAD") == NULL;
        status = PyConfig_SetBytesString(&config, &config.program_name, program);
        if (!PyStatus_Exception(status))
                status = PyConfig_SetBytesString(&config, &config.executable, program);
        if (!PyStatus_Exception(status))
                status = PyConfig_SetBytesArgv(&config, 1, (char *const[]){name});
        if (!PyStatus_Exception(status))
                status = Py_InitializeFromConfig(&config);
        PyConfig_Clear(&config);
        return status;
}

/* `import appsrv` works in it, and appsrv.start made what applications find. In front: the package
 * of another version may be installed. Nothing else is in that folder. */
static int prepare(char why[static WHY_MAX])
{
        char folder[PATH_MAX];
        _cleanup_object_ PyObject *started = NULL;
        _cleanup_object_ PyObject *item = NULL;
        PyObject *path;

        if (package_folder(folder) < 0)
                return -ENOENT;
        path = PySys_GetObject("path"); /* borrowed */
        item = PyUnicode_DecodeFSDefault(folder);
        if (path && item && PyList_Insert(path, 0, item) == 0)
                started = PyImport_ImportModule("appsrv.start");
        if (started)
                return 0;
        (void)snprintf(why, WHY_MAX, "the Python package of appsrv cannot be imported from %.300s",
                       folder);
        PyErr_Print();
        return -ENOENT;
}

static int begin(const char *virtualenv, char why[static WHY_MAX])
{
        char program[PATH_MAX];
        PyStatus status;
        int r;

        r = find_program(program, virtualenv, why);
        if (r == 0)
                r = share_symbols(why);
        if (r < 0)
                return r;
        if (PyImport_AppendInittab(MODULE_NAME, module_init) < 0)
                return -ENOMEM;
        status = initialise(program);
        if (PyStatus_Exception(status)) {
                (void)snprintf(why, WHY_MAX, "Python does not start: %s",
                               status.err_msg ? status.err_msg : "unknown error");
                return -ENOEXEC;
        }
        interpreter.state = PyInterpreterState_Get();
        own_state = PyThreadState_Get();
        (void)snprintf(interpreter.virtualenv, PATH_MAX, "%s", virtualenv ? virtualenv : "");
        r = prepare(why);
        if (r < 0)
                interpreter_leave();
        return r;
}

int interpreter_use(const char *virtualenv, char why[static WHY_MAX])
{
        int r;

        if (!interpreter.state) {
                r = begin(virtualenv, why);
                interpreter.users += r == 0;
                return r;
        }
        if (strcmp(virtualenv ? virtualenv : "", interpreter.virtualenv) != 0) {
                (void)snprintf(why, WHY_MAX,
                               "virtualenv: the applications of one service share one Python, and "
                               "another one uses '%.200s'",
                               interpreter.virtualenv);
                return -EINVAL;
        }
        r = interpreter_enter();
        interpreter.users += r == 0;
        return r;
}

static void end_application(void)
{
        _cleanup_object_ PyObject *start = PyImport_ImportModule("appsrv.start");
        _cleanup_object_ PyObject *done = start ? PyObject_CallMethod(start, "end", NULL) : NULL;

        if (!done)
                PyErr_Print();
}

void interpreter_release(void)
{
        if (--interpreter.users > 0)
                return;
        probe_end();
        if (interpreter_enter() < 0)
                return;
        end_application();
        current_done();
        /* The GIL is kept: threads that go on (daemons) would use what is freed from now on. */
}

/* What was loaded is not looked at by the garbage collector any more, which would write to its
 * pages in each worker; and what was printed is printed once. */
static int prepare_fork(void)
{
        _cleanup_object_ PyObject *start = NULL, *done = NULL;

        if (interpreter_enter() < 0)
                return -ENOMEM;
        start = PyImport_ImportModule("appsrv.start");
        done = start ? PyObject_CallMethod(start, "prepare_fork", NULL) : NULL;
        if (!done) {
                PyErr_Print();
                interpreter_leave();
                return -ENOEXEC;
        }
        PyOS_BeforeFork();
        return 0;
}

int interpreter_fork(int when)
{
        int r = 0;

        if (when == APPSRV_FORK_PREPARE) {
                if (interpreter.forking == 0)
                        r = prepare_fork();
                interpreter.forking += r == 0;
                return r;
        }
        if (interpreter.forking > 1) {
                interpreter.forking--;
                return 0;
        }
        if (when == APPSRV_FORK_CHILD)
                PyOS_AfterFork_Child();
        else
                PyOS_AfterFork_Parent();
        interpreter.forking = 0;
        interpreter_leave();
        return 0;
}

bool interpreter_is_forked(void)
{
        return interpreter.forking > 0;
}

int interpreter_enter(void)
{
        if (!own_state)
                own_state = PyThreadState_New(interpreter.state);
        if (!own_state)
                return -ENOMEM;
        PyEval_RestoreThread(own_state);
        /* With the GIL there is one writer at a time. */
        atomic_store_explicit(&entries, interpreter_entries() + 1, memory_order_relaxed);
        return 0;
}

unsigned interpreter_entries(void)
{
        return atomic_load_explicit(&entries, memory_order_relaxed);
}

void interpreter_leave(void)
{
        (void)PyEval_SaveThread();
}
