/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening sockets, passed or opened. */
#include "master/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "master/store.h"

/* The kernel caps it with net.core.somaxconn. */
#define BACKLOG 4096

#define DEFAULT_ADDRESS "127.0.0.1:8080"

/* In front of an address whose connections are encrypted. */
static const char tls_prefix[] = "https:";
static const char admin_prefix[] = "admin:";

/* -- addresses -- */

static int unix_address(const char *path, struct sockaddr_storage *ret, socklen_t *ret_size)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (path[0] != '/')
                return -EINVAL;
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        memcpy(ret, &address, sizeof(address));
        *ret_size = sizeof(address);
        return 0;
}

static int inet_address(const char *host, uint16_t port, struct sockaddr_storage *ret,
                        socklen_t *ret_size)
{
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

        if (strcmp(host, "localhost") == 0)
                host = "127.0.0.1";
        if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
                memcpy(ret, &v4, sizeof(v4));
                *ret_size = sizeof(v4);
                return 0;
        }
        if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
                return -EINVAL;
        memcpy(ret, &v6, sizeof(v6));
        *ret_size = sizeof(v6);
        return 0;
}

int listen_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size)
{
        const char *colon = strrchr(text, ':');
        const char *port_text = colon ? colon + 1 : text;
        char host[INET6_ADDRSTRLEN] = "::";
        uint64_t port;
        size_t size;

        if (text[0] == '/')
                return unix_address(text, ret, ret_size);
        if (strncmp(text, "unix:", 5) == 0)
                return unix_address(text + 5, ret, ret_size);
        if (parse_number(port_text, &port) < 0 || port == 0 || port > UINT16_MAX)
                return -EINVAL;
        if (!colon)
                return inet_address(host, (uint16_t)port, ret, ret_size);

        size = (size_t)(colon - text);
        if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
                text++;
                size -= 2;
        } else if (memchr(text, ':', size)) {
                return -EINVAL; /* an IPv6 address needs its brackets */
        }
        if (size == 0 || size >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, size);
        host[size] = '\0';
        return inet_address(host, (uint16_t)port, ret, ret_size);
}

static void format_address(const struct endpoint *endpoint, char name[static LISTEN_NAME_MAX])
{
        struct sockaddr_storage address = {0};
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address;
        socklen_t size = sizeof(address);
        char host[NI_MAXHOST], port[NI_MAXSERV];
        bool v6;

        (void)snprintf(name, LISTEN_NAME_MAX, "unknown");
        if (getsockname(endpoint->fd, (struct sockaddr *)&address, &size) < 0)
                return;
        if (address.ss_family == AF_UNIX) {
                (void)snprintf(name, LISTEN_NAME_MAX, "%sunix:%.100s",
                               endpoint->admin ? "admin, " : "", un->sun_path);
                return;
        }
        if (getnameinfo((const struct sockaddr *)&address, size, host, sizeof(host), port,
                        sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                return;
        v6 = address.ss_family == AF_INET6;
        (void)snprintf(name, LISTEN_NAME_MAX, "%s%s://%s%.48s%s:%.8s/",
                       endpoint->admin ? "admin, http" : "http", endpoint->tls ? "s" : "",
                       v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static int add(struct listeners *listeners, const struct endpoint *endpoint)
{
        struct listener *listener;

        if (listeners->n == LISTENERS_MAX)
                return -E2BIG;
        listener = &listeners->list[listeners->n++];
        *listener = (struct listener){.endpoint = *endpoint};
        format_address(&listener->endpoint, listener->name);
        return 0;
}

/* -- opened -- */

/* A unix socket that nobody listens on any more is in the way of a new one. Anything else at its
 * path stays: connect(2) says ECONNREFUSED of a plain file too. */
static void remove_stale(const struct sockaddr_un *address)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct stat status;

        if (lstat(address->sun_path, &status) < 0 || !S_ISSOCK(status.st_mode))
                return;
        if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
            errno == ECONNREFUSED)
                (void)unlink(address->sun_path);
}

/* Where the kernel has no IPv6, all addresses are those of IPv4. Return: the descriptor, or a
 * negative errno. */
static int open_socket(struct sockaddr_storage *address, socklen_t *size)
{
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0 && errno == EAFNOSUPPORT && address->ss_family == AF_INET6 &&
            IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
                const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = v6->sin6_port};

                memcpy(address, &v4, sizeof(v4));
                *size = sizeof(v4);
                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        }
        return fd < 0 ? -errno : fd;
}

/* Return: whether it begins so; then it is gone. */
static bool skip(const char **text, const char *prefix)
{
        bool begins = strncmp(*text, prefix, strlen(prefix)) == 0;

        *text += begins ? strlen(prefix) : 0;
        return begins;
}

static int open_one(struct listeners *listeners, const char *text)
{
        struct sockaddr_storage address;
        _cleanup_close_ int fd = -1;
        const int on = 1, off = 0;
        const char *place = text;
        struct endpoint endpoint = {
                .tls = skip(&place, tls_prefix),
                .admin = skip(&place, admin_prefix),
        };
        socklen_t size;
        int r;

        r = listen_address(place, &address, &size);
        if (r < 0)
                return r;
        if (address.ss_family == AF_UNIX)
                remove_stale((const struct sockaddr_un *)&address);
        fd = open_socket(&address, &size);
        if (fd < 0)
                return fd;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (address.ss_family != AF_UNIX)
                (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (address.ss_family == AF_INET6)
                (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
        if (bind(fd, (const struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        endpoint.fd = fd;
        r = add(listeners, &endpoint);
        if (r < 0)
                return r;
        if (address.ss_family == AF_UNIX)
                memcpy(listeners->list[listeners->n - 1].path,
                       ((const struct sockaddr_un *)&address)->sun_path,
                       sizeof(listeners->list[0].path));
        (void)TAKE_FD(fd);
        return 0;
}

/* -- passed -- */

/* "http" by our unit; "unknown" and the unit's name are what systemd gives a socket that has no
 * FileDescriptorName=. */
static bool is_http(const char *name)
{
        size_t size = strlen(name);

        return strcmp(name, "http") == 0 || strcmp(name, "unknown") == 0 ||
               (size > 7 && strcmp(name + size - 7, ".socket") == 0);
}

static bool is_https(const char *name)
{
        return strcmp(name, "https") == 0;
}

static bool is_admin(const char *name)
{
        return strcmp(name, "admin") == 0;
}

static int take_one(struct listeners *listeners, int fd, const char *name)
{
        int flags = fcntl(fd, F_GETFL);

        if (store_is_box(name)) {
                (void)close(fd); /* the store has a copy of it */
                return 0;
        }
        if (!is_http(name) && !is_https(name) && !is_admin(name))
                return -ENOTSUP;
        if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0)
                return -ENOTSOCK;
        /* Shared with every process that has it, so it is right for all workers at once. */
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        return add(listeners,
                   &(struct endpoint){.fd = fd, .tls = is_https(name), .admin = is_admin(name)});
}

/* Return: how many sockets were passed, or a negative errno. */
static int take_passed(struct listeners *listeners, char culprit[static LISTEN_NAME_MAX])
{
        char **names = NULL;
        int n = sd_listen_fds_with_names(1, &names);
        int r = 0;

        if (n < 0) {
                (void)snprintf(culprit, LISTEN_NAME_MAX, "the sockets of LISTEN_FDS");
                return -ENOTSOCK;
        }
        for (int i = 0; r == 0 && i < n; i++) {
                r = take_one(listeners, SD_LISTEN_FDS_START + i, names[i]);
                if (r < 0)
                        (void)snprintf(culprit, LISTEN_NAME_MAX, "%s", names[i]);
        }
        for (int i = 0; names && i < n; i++)
                free(names[i]);
        free(names);
        return r < 0 ? r : (int)listeners->n;
}

int listen_all(struct listeners *listeners, char *const *addresses, size_t n_addresses,
               char culprit[static LISTEN_NAME_MAX])
{
        static char usual_address[] = DEFAULT_ADDRESS;
        static char *const usual[] = {usual_address};
        int n = take_passed(listeners, culprit);

        if (n != 0)
                return n < 0 ? n : 0;
        if (n_addresses == 0) {
                addresses = usual;
                n_addresses = 1;
        }
        for (size_t i = 0; i < n_addresses; i++) {
                int r = open_one(listeners, addresses[i]);

                if (r < 0) {
                        (void)snprintf(culprit, LISTEN_NAME_MAX, "%s", addresses[i]);
                        return r;
                }
        }
        return 0;
}

const char *listen_error(int error)
{
        switch (-error) {
        case EINVAL:
                return "not PORT, HOST:PORT, [V6]:PORT or unix:PATH, each with or without https: "
                       "or admin: in front";
        case ENOTSUP:
                return "a passed socket must have the name http, https or admin "
                       "(FileDescriptorName=)";
        case ENOTSOCK:
                return "a passed descriptor must be a listening stream socket";
        default:
                return strerror(-error);
        }
}

bool listen_is_config_error(int error)
{
        return error == -EINVAL || error == -ENOTSUP || error == -ENOTSOCK;
}

bool listen_wants_tls(const struct listeners *listeners)
{
        for (size_t i = 0; i < listeners->n; i++)
                if (listeners->list[i].endpoint.tls)
                        return true;
        return false;
}

uint64_t listen_backlog(const struct listeners *listeners)
{
        uint64_t waiting = 0;
        bool known = false;

        for (size_t i = 0; i < listeners->n; i++) {
                struct tcp_info info = {0};
                socklen_t size = sizeof(info);

                if (listeners->list[i].endpoint.admin)
                        continue;
                /* Of a listening socket this is the length of its accept queue. */
                if (getsockopt(listeners->list[i].endpoint.fd, IPPROTO_TCP, TCP_INFO, &info,
                               &size) < 0)
                        continue;
                known = true;
                waiting += info.tcpi_unacked;
        }
        return known ? waiting : UINT64_MAX;
}

void listen_close(struct listeners *listeners)
{
        for (size_t i = 0; i < listeners->n; i++) {
                close_descriptor(&listeners->list[i].endpoint.fd);
                if (listeners->list[i].path[0])
                        (void)unlink(listeners->list[i].path);
        }
        listeners->n = 0;
}

void listen_announce(const struct listeners *listeners, const char *what)
{
        for (size_t i = 0; i < listeners->n; i++)
                if (!listeners->list[i].endpoint.admin)
                        (void)printf("Serving %s on %s\n", what, listeners->list[i].name);
        (void)printf("Records: journalctl -f -t appsrv\n");
        (void)fflush(stdout);
}
