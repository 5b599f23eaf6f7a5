/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses read, sockets opened, taken over and closed. */
#include "master/listen.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_inet(const char *text, int family, const char *host, unsigned port)
{
        struct sockaddr_storage address;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        char name[INET6_ADDRSTRLEN];
        socklen_t size = 0;

        assert(listen_address(text, &address, &size) == 0);
        assert(address.ss_family == family);
        if (family == AF_INET) {
                assert(inet_ntop(family, &v4->sin_addr, name, sizeof(name)));
                assert(ntohs(v4->sin_port) == port && size == sizeof(*v4));
        } else {
                assert(inet_ntop(family, &v6->sin6_addr, name, sizeof(name)));
                assert(ntohs(v6->sin6_port) == port && size == sizeof(*v6));
        }
        assert(strcmp(name, host) == 0);
}

static void test_addresses_of_the_internet(void)
{
        check_inet("8080", AF_INET6, "::", 8080);
        check_inet("127.0.0.1:80", AF_INET, "127.0.0.1", 80);
        check_inet("localhost:65535", AF_INET, "127.0.0.1", 65535);
        check_inet("[::1]:1", AF_INET6, "::1", 1);
        check_inet("[2001:db8::2]:443", AF_INET6, "2001:db8::2", 443);
}

static void test_unix_addresses(void)
{
        struct sockaddr_storage address;
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address;
        char longest[sizeof(un->sun_path) + 1];
        socklen_t size;

        assert(listen_address("/run/a", &address, &size) == 0 &&
               strcmp(un->sun_path, "/run/a") == 0);
        assert(listen_address("unix:/run/b", &address, &size) == 0 &&
               strcmp(un->sun_path, "/run/b") == 0);
        memset(longest, 'a', sizeof(longest) - 1);
        longest[0] = '/';
        longest[sizeof(longest) - 1] = '\0';
        assert(listen_address(longest, &address, &size) == -ENAMETOOLONG);
}

static void test_what_is_no_address_is_refused(void)
{
        static const char *const bad[] = {
                "",
                ":",
                ":80",
                "host:80",
                "1.2.3:80",
                "1.2.3.4",
                "1.2.3.4:",
                "1.2.3.4:0",
                "0",
                "65536",
                "-1",
                "+80",
                "80 ",
                "::1:80",
                "[::1]",
                "[::1:80",
                "[]:80",
                "[1.2.3.4]:80x",
                "unix:",
                "unix:a",
                "127.0.0.1:99999999999999999999",
                "[00000000000000000000000000000000000000000000000::1]:80",
        };

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct sockaddr_storage address;
                socklen_t size;

                assert(listen_address(bad[i], &address, &size) == -EINVAL);
        }
}

static char *temporary(const char *name)
{
        static char folder[] = "/tmp/test_master_listen.XXXXXX";
        static char path[108];

        if (strstr(folder, "XXXXXX"))
                assert(mkdtemp(folder));
        assert(snprintf(path, sizeof(path), "%s%s", folder, name) < (int)sizeof(path));
        return path;
}

static void test_unix_socket_is_made_taken_over_when_stale_and_removed(void)
{
        struct listeners listeners = {0}, second = {0};
        char culprit[LISTEN_NAME_MAX];
        char *path = temporary("/socket");
        char *addresses[] = {path};

        assert(listen_all(&listeners, addresses, 1, culprit) == 0);
        assert(listeners.n == 1 && strstr(listeners.list[0].name, "/socket"));
        assert(listen_backlog(&listeners) == UINT64_MAX);
        assert(fcntl(listeners.list[0].endpoint.fd, F_GETFD) & FD_CLOEXEC);
        assert(fcntl(listeners.list[0].endpoint.fd, F_GETFL) & O_NONBLOCK);

        /* One that somebody listens on is left alone. */
        assert(listen_all(&second, addresses, 1, culprit) == -EADDRINUSE);
        assert(strcmp(culprit, path) == 0);

        /* A killed predecessor leaves its file behind. */
        assert(close(listeners.list[0].endpoint.fd) == 0);
        assert(listen_all(&second, addresses, 1, culprit) == 0);
        listen_close(&second);
        assert(access(path, F_OK) < 0);
        assert(rmdir(temporary("")) == 0);
}

static void test_what_is_no_socket_is_left_alone(void)
{
        struct listeners listeners = {0};
        char culprit[LISTEN_NAME_MAX], folder[] = "/tmp/test_master_listen.XXXXXX", path[64];
        char *addresses[] = {path};
        int fd;

        assert(mkdtemp(folder));
        (void)snprintf(path, sizeof(path), "%s/precious", folder);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert(fd >= 0 && close(fd) == 0);
        assert(listen_all(&listeners, addresses, 1, culprit) == -EADDRINUSE);
        assert(listeners.n == 0 && access(path, F_OK) == 0);
        assert(unlink(path) == 0 && rmdir(folder) == 0);
}

static void test_errors_say_what_was_expected(void)
{
        assert(strstr(listen_error(-EINVAL), "HOST:PORT"));
        assert(strstr(listen_error(-ENOTSUP), "FileDescriptorName="));
        assert(strstr(listen_error(-ENOTSOCK), "listening stream"));
        assert(strcmp(listen_error(-EADDRINUSE), strerror(EADDRINUSE)) == 0);
        assert(listen_is_config_error(-EINVAL) && listen_is_config_error(-ENOTSUP) &&
               listen_is_config_error(-ENOTSOCK) && !listen_is_config_error(-EADDRINUSE));
}

static void test_backlog_counts_what_nobody_accepted(void)
{
        struct listeners listeners = {0};
        struct sockaddr_in6 address;
        socklen_t size = sizeof(address);
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address =
                (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        assert(fd >= 0 && client >= 0);
        assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0);
        assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
        listeners.list[listeners.n++].endpoint.fd = fd;
        assert(listen_backlog(&listeners) == 0);
        assert(connect(client, (struct sockaddr *)&address, sizeof(address)) == 0);
        assert(listen_backlog(&listeners) == 1);
        assert(close(client) == 0);
        listen_close(&listeners);
}

/* In a child, which has descriptor 3 as systemd passes it. Return: what listen_all() returned. */
static int passed(const char *name, int listening)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct listeners listeners = {0};
        char culprit[LISTEN_NAME_MAX] = "", pid[16];
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int r;

        assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
        if (listening)
                assert(listen(fd, 8) == 0);
        assert(fd == 3 || dup2(fd, 3) == 3);
        (void)snprintf(pid, sizeof(pid), "%d", getpid());
        assert(setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", "1", 1) == 0 &&
               setenv("LISTEN_FDNAMES", name, 1) == 0);
        r = listen_all(&listeners, NULL, 0, culprit);
        assert(!getenv("LISTEN_FDS"));
        if (r == 0)
                assert(listeners.n == 1 && listeners.list[0].endpoint.fd == 3 &&
                       listeners.list[0].endpoint.tls == (strcmp(name, "https") == 0) &&
                       listeners.list[0].endpoint.admin == (strcmp(name, "admin") == 0) &&
                       (fcntl(3, F_GETFL) & O_NONBLOCK) && (fcntl(3, F_GETFD) & FD_CLOEXEC));
        else
                assert(strcmp(culprit, strchr(name, ':') ? "the sockets of LISTEN_FDS" : name) ==
                       0);
        return r;
}

static void check_passed(const char *name, int listening, int want)
{
        pid_t child = fork();
        int status;

        assert(child >= 0);
        if (child == 0)
                _exit(passed(name, listening) == want ? 0 : 1);
        assert(waitpid(child, &status, 0) == child);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_passed_sockets_are_told_apart_by_name(void)
{
        check_passed("http", 1, 0);
        check_passed("appsrv.socket", 1, 0);
        check_passed("unknown", 1, 0);
        check_passed("htttp", 1, -ENOTSUP);
        check_passed("https", 1, 0);
        check_passed("admin", 1, 0);
        check_passed("adminn", 1, -ENOTSUP);
        check_passed("http", 0, -ENOTSOCK);
        check_passed("one:too-many", 1, -ENOTSOCK);
}

int main(void)
{
        test_addresses_of_the_internet();
        test_unix_addresses();
        test_what_is_no_address_is_refused();
        test_unix_socket_is_made_taken_over_when_stale_and_removed();
        test_what_is_no_socket_is_left_alone();
        test_errors_say_what_was_expected();
        test_backlog_counts_what_nobody_accepted();
        test_passed_sockets_are_told_apart_by_name();
        return 0;
}
