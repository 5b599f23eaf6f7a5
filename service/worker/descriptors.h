/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many files a worker may have open. */
#pragma once

struct config;

/**
 * descriptors_raise_limit() - room for all connections
 *
 * Each may have a file beside its socket, the body that it is sent. As far as the hard limit goes;
 * where it ends too early accept4() says so, and the gate waits.
 */
void descriptors_raise_limit(const struct config *config);
