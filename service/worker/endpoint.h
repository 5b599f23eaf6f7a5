/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A listening socket, as workers see it. */
#pragma once

#include <stdbool.h>

struct endpoint {
        int fd;     /* non-blocking, shared with all workers */
        bool tls;   /* its connections begin with a handshake */
        bool admin; /* who connects asks for the service itself: see health.h */
};
