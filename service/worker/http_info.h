/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libmicrohttpd tells of a connection. From 1.0 on, what it returned is overwritten by the
 * next question, so each answer is taken out at once. Loop thread.
 */
#pragma once

#include <microhttpd.h>
#include <stddef.h>
#include <sys/socket.h>

struct connection;

/** http_connection_of() - ours. Return: NULL: there was no memory for one. */
struct connection *http_connection_of(struct MHD_Connection *mhd);

/** http_daemon_of() - the library's. */
const struct MHD_Daemon *http_daemon_of(struct MHD_Connection *mhd);

/** http_session_of() - of GnuTLS. Return: NULL: it is not encrypted. */
void *http_session_of(struct MHD_Connection *mhd);

/** http_socket_of() - Return: its descriptor, borrowed; -1: unknown. */
int http_socket_of(struct MHD_Connection *mhd);

/** http_address_of() - Return: the client's, borrowed; NULL: unknown. */
const struct sockaddr *http_address_of(struct MHD_Connection *mhd);

/** http_head_size_of() - Return: bytes of the head that was read last. */
size_t http_head_size_of(struct MHD_Connection *mhd);

/** http_status_of() - Return: of the response that is queued, whoever did that; 0: none is. */
unsigned http_status_of(struct MHD_Connection *mhd);
