/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What own_thread() remembers. */
#include "base/thread.h"

_Thread_local pid_t own_thread_id;
