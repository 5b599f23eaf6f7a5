/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What to do about an application in /home, when the unit hides that. */
#pragma once

#include "config/config.h"

/** homes_hint() - to be put behind why @config's application cannot be started; "" when none of its
 * settings names what is hidden. */
const char *homes_hint(const struct app_config *config);
