/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded, it makes of libmicrohttpd one whose heads end elsewhere: no application. */
#include <dlfcn.h>
#include <microhttpd.h>

typedef const union MHD_ConnectionInfo *asker(struct MHD_Connection *connection,
                                              enum MHD_ConnectionInfoType type, ...);

__attribute__((visibility("default"))) const union MHD_ConnectionInfo *
MHD_get_connection_info(struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...)
{
        static _Thread_local union MHD_ConnectionInfo changed;
        union {
                void *symbol;
                asker *function;
        } library = {.symbol = dlsym(RTLD_NEXT, "MHD_get_connection_info")};
        const union MHD_ConnectionInfo *info = library.function(connection, type);

        if (!info || type != MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
                return info;
        changed.header_size = info->header_size + 1;
        return &changed;
}
