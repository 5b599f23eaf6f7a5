/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd is told, read at the other end of a NOTIFY_SOCKET. */
#include "master/systemd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* A name in the abstract namespace, so that nothing is left behind. */
static int listen_as_systemd(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        char name[64];
        int n;

        n = snprintf(name, sizeof(name), "@test_master_systemd.%d", getpid());
        memcpy(address.sun_path, name, (size_t)n);
        address.sun_path[0] = '\0';
        assert(fd >= 0);
        assert(bind(fd, (struct sockaddr *)&address,
                    (socklen_t)(sizeof(address.sun_family) + (size_t)n)) == 0);
        assert(setenv("NOTIFY_SOCKET", name, 1) == 0);
        return fd;
}

static char *told(int fd)
{
        static char text[4096];
        ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

        text[n < 0 ? 0 : n] = '\0';
        return n < 0 ? NULL : text;
}

static void test_ready_beats_too_and_every_status_is_one_message(int fd)
{
        struct manager manager = {.status = ""};

        manager_ready(&manager, "serving");
        assert(strcmp(told(fd), "READY=1\nSTATUS=serving\nWATCHDOG=1") == 0);
        manager_status(&manager, "serving");
        assert(!told(fd)); /* it is known */
        manager_status(&manager, "2 workers");
        assert(strcmp(told(fd), "STATUS=2 workers") == 0);
        manager_stopping(&manager, "bye");
        assert(strcmp(told(fd), "STOPPING=1\nSTATUS=bye") == 0);
        manager_beat();
        assert(strcmp(told(fd), "WATCHDOG=1") == 0);
        manager_extend(5);
        assert(strcmp(told(fd), "EXTEND_TIMEOUT_USEC=5") == 0);
}

static void test_reloading_has_the_time_of_now(int fd)
{
        struct manager manager = {.status = ""};
        uint64_t before = now_usec();
        unsigned long long usec;
        char rest[32];

        manager_reloading(&manager);
        assert(sscanf(told(fd), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=%31s", &usec, rest) == 2);
        assert(usec >= before && usec <= now_usec() && strcmp(rest, "reloading") == 0);
}

static void test_status_is_one_line_of_utf8_whatever_it_is_made_from(int fd)
{
        struct manager manager = {.status = ""};
        char expected[MANAGER_STATUS_MAX + 16] = "STATUS=";
        char text[MANAGER_STATUS_MAX + 16];

        manager_status(&manager, "a\nMAINPID=1\r\x7f\t\xff\xc3");
        assert(strcmp(told(fd), "STATUS=a?MAINPID=1?????") == 0);
        manager_status(&manager, "gr\xc3\xbc\xc3\x9f");
        assert(strcmp(told(fd), "STATUS=gr\xc3\xbc\xc3\x9f") == 0);
        manager_failed(22, "x\nREADY=1");
        assert(strcmp(told(fd), "ERRNO=22\nSTATUS=x?READY=1") == 0);

        /* Cut in the middle of a character. */
        memset(text, 'a', sizeof(text));
        memcpy(text + MANAGER_STATUS_MAX - 2, "\xc3\xbc", 3);
        manager_status(&manager, text);
        memcpy(expected + strlen("STATUS="), text, MANAGER_STATUS_MAX - 2);
        memcpy(expected + strlen("STATUS=") + MANAGER_STATUS_MAX - 2, "?", 2);
        assert(strcmp(told(fd), expected) == 0);
}

static void test_watchdog_is_that_of_this_process(void)
{
        char pid[24];

        (void)snprintf(pid, sizeof(pid), "%d", getpid());
        assert(unsetenv("WATCHDOG_USEC") == 0 && manager_watchdog_usec() == 0);
        assert(setenv("WATCHDOG_USEC", "30000000", 1) == 0 && setenv("WATCHDOG_PID", pid, 1) == 0);
        assert(manager_watchdog_usec() == 30 * USEC_PER_SEC);
        assert(setenv("WATCHDOG_PID", "1", 1) == 0 && manager_watchdog_usec() == 0);
        assert(setenv("WATCHDOG_PID", pid, 1) == 0 && setenv("WATCHDOG_USEC", "soon", 1) == 0);
        assert(manager_watchdog_usec() == 0);
}

static void test_without_systemd_nothing_happens(void)
{
        struct manager manager = {.status = ""};

        assert(unsetenv("NOTIFY_SOCKET") == 0);
        manager_ready(&manager, "serving");
        manager_beat();
        assert(strcmp(manager.status, "serving") == 0);
}

int main(void)
{
        int fd = listen_as_systemd();

        test_ready_beats_too_and_every_status_is_one_message(fd);
        test_reloading_has_the_time_of_now(fd);
        test_status_is_one_line_of_utf8_whatever_it_is_made_from(fd);
        test_watchdog_is_that_of_this_process();
        test_without_systemd_nothing_happens();
        assert(close(fd) == 0);
        return 0;
}
