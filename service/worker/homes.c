/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* With ProtectHome=yes a folder that nobody may enter is in the place of /home, so that what is
 * there for its owner, and for `appsrv check`, is forbidden here. */
#include "worker/homes.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define HOMES "/home/"

/* One path, or several with ':' between them. */
static bool names_home(const char *value)
{
        return strncmp(value, HOMES, strlen(HOMES)) == 0 || strstr(value, ":" HOMES);
}

static bool is_hidden(void)
{
        return access(HOMES, X_OK) < 0 && errno == EACCES;
}

const char *homes_hint(const struct app_config *config)
{
        for (size_t i = 0; i < config->n_keys; i++) {
                if (names_home(config->keys[i].value) && is_hidden())
                        return "; the unit hides /home (ProtectHome=), its drop-in home.conf "
                               "shows it";
        }
        return "";
}
