/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* To be refused: it cannot answer anything. */
#include <appsrv/appsrv.h>

APPSRV_APP(.name = "refused-handle");
