/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What workers tell: messages taken apart, their sender known, nothing of them kept that was not
 * asked for. */
#include "master/notify.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/notify.h"

static void parse(struct notification *told, const char *text)
{
        memcpy(told->text, text, strlen(text));
        notification_parse(told, strlen(text));
}

static void test_each_message_is_understood(void)
{
        struct notification told;

        parse(&told, "READY=1\nSTATUS=all well\nWATCHDOG=1\nSTOPPING=1\n");
        assert(told.ready && told.beat && told.stopping);
        assert(told.status && strcmp(told.status, "all well") == 0);
}

static void test_what_is_almost_a_message_is_none(void)
{
        static const char *const texts[] = {
                "",
                "\n\n",
                "READY=0",
                "READY=11",
                " READY=1",
                "ready=1",
                "X=READY=1",
                "WATCHDOG=trigger",
                "MAINPID=1\nFDSTORE=1",
                "STOPPING",
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                struct notification told;

                parse(&told, texts[i]);
                assert(!told.ready && !told.beat && !told.stopping && !told.status);
        }
}

static void test_extension_is_a_number(void)
{
        static const char *const wrong[] = {"EXTEND_TIMEOUT_USEC=soon",
                                            "EXTEND_TIMEOUT_USEC=", "EXTEND_TIMEOUT_USEC=-1",
                                            "EXTEND_TIMEOUT_USEC"};
        struct notification told;

        parse(&told, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=1500000");
        assert(told.beat && told.extend_usec == 1500000);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                parse(&told, wrong[i]);
                assert(told.extend_usec == 0);
        }
}

static void test_wear_is_a_reason_and_a_number(void)
{
        static const char *const wrong[] = {"X_APPSRV_WORN=", "X_APPSRV_WORN=max_requests",
                                            "X_APPSRV_WORN=max_requests -1", "X_APPSRV_WORN=none 1",
                                            "X_APPSRV_WORN=max_agents 1"};
        struct notification told;

        parse(&told, "READY=1\nWATCHDOG=1\nX_APPSRV_WORN=max_memory 12345");
        assert(told.ready && told.beat);
        assert(told.worn == WEAR_MEMORY && told.worn_memory == 12345);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                parse(&told, wrong[i]);
                assert(told.worn == WEAR_NONE);
        }
}

static struct notify listening(char *folder)
{
        struct notify notify;

        assert(mkdtemp(folder));
        assert(setenv("RUNTIME_DIRECTORY", folder, 1) == 0);
        assert(notify_listen(&notify) == 0);
        return notify;
}

static void end(struct notify *notify, const char *folder)
{
        notify_close(notify);
        assert(rmdir(folder) == 0);
}

static void test_sender_is_the_one_that_the_kernel_names(void)
{
        char folder[] = "/tmp/test_master_notify.XXXXXX";
        struct notify notify = listening(folder);
        struct notification told;
        int worker = notify_open(notify.path);

        assert(worker >= 0);
        assert(notify_receive(&notify, &told) == 0);
        assert(notify_send(worker, "READY=1") == 0);
        assert(notify_send(worker, "WATCHDOG=1") == 0);
        assert(notify_receive(&notify, &told) == 1 && told.ready && told.pid == getpid());
        assert(notify_receive(&notify, &told) == 1 && told.beat && !told.ready);
        assert(notify_receive(&notify, &told) == 0);
        assert(close(worker) == 0);
        end(&notify, folder);
}

static unsigned open_descriptors(void)
{
        DIR *folder = opendir("/proc/self/fd");
        unsigned n = 0;

        assert(folder);
        while (readdir(folder))
                n++;
        assert(closedir(folder) == 0);
        return n;
}

static void send_descriptors(int fd, size_t n)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(200 * sizeof(int))];
        } control = {.bytes = {0}};
        char text[] = "WATCHDOG=1";
        struct iovec data = {.iov_base = text, .iov_len = sizeof(text) - 1};
        struct msghdr message = {
                .msg_iov = &data,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(n * sizeof(int)),
        };

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memset(CMSG_DATA(&control.header), 0, n * sizeof(int)); /* descriptor 0, n times */
        assert(sendmsg(fd, &message, 0) > 0);
}

static void test_descriptors_that_come_along_are_closed(void)
{
        char folder[] = "/tmp/test_master_notify.XXXXXX";
        struct notify notify = listening(folder);
        struct notification told;
        int worker = notify_open(notify.path);
        unsigned before = open_descriptors();

        send_descriptors(worker, 3);
        assert(notify_receive(&notify, &told) == 1 && told.beat && told.pid == getpid());
        assert(open_descriptors() == before);

        /* More than there is room for: the message counts as nobody's. */
        send_descriptors(worker, 200);
        assert(notify_receive(&notify, &told) == 1 && told.pid == 0);
        assert(open_descriptors() == before);
        assert(close(worker) == 0);
        end(&notify, folder);
}

static void test_message_that_is_too_long_is_nobodys(void)
{
        static char text[NOTIFY_TEXT_MAX + 100];
        char folder[] = "/tmp/test_master_notify.XXXXXX";
        struct notify notify = listening(folder);
        struct notification told;
        int worker = notify_open(notify.path);

        memset(text, '\n', sizeof(text) - 1);
        memcpy(text, "READY=1", 7);
        assert(notify_send(worker, text) == 0);
        assert(notify_receive(&notify, &told) == 1 && told.pid == 0);
        assert(close(worker) == 0);
        end(&notify, folder);
}

static void test_worker_does_not_wait_for_a_master_that_does_not_read(void)
{
        char folder[] = "/tmp/test_master_notify.XXXXXX";
        struct notify notify = listening(folder);
        int worker = notify_open(notify.path);
        int r = 0;

        for (int i = 0; i < 100000 && r == 0; i++)
                r = notify_send(worker, "WATCHDOG=1");
        assert(r == -EAGAIN);
        assert(close(worker) == 0);
        end(&notify, folder);
}

static void test_socket_of_a_killed_predecessor_is_replaced(void)
{
        char folder[] = "/tmp/test_master_notify.XXXXXX";
        struct notify first = listening(folder);
        struct notify second;
        int worker;

        assert(notify_listen(&second) == 0);
        worker = notify_open(second.path);
        assert(worker >= 0 && notify_send(worker, "READY=1") == 0);
        assert(close(worker) == 0 && close(first.fd) == 0);
        end(&second, folder);
}

static void test_folder_is_made_for_us_alone_where_systemd_made_none(void)
{
        struct notify notify;
        struct stat status;
        char path[sizeof(notify.path)];

        assert(unsetenv("RUNTIME_DIRECTORY") == 0 && setenv("XDG_RUNTIME_DIR", "/nowhere", 1) == 0);
        assert(notify_listen(&notify) == 0);
        memcpy(path, notify.path, sizeof(path));
        *strrchr(path, '/') = '\0';
        assert(stat(path, &status) == 0 && (status.st_mode & 0777) == 0700);
        notify_close(&notify);
        assert(stat(path, &status) < 0);
}

static void test_path_that_is_too_long_is_an_error(void)
{
        static char text[300];
        struct notify notify;

        memset(text, 'a', sizeof(text) - 1);
        text[0] = '/';
        assert(setenv("RUNTIME_DIRECTORY", text, 1) == 0);
        assert(notify_listen(&notify) == -ENAMETOOLONG);
        assert(notify_open(text) == -ENAMETOOLONG);
}

int main(void)
{
        test_each_message_is_understood();
        test_what_is_almost_a_message_is_none();
        test_extension_is_a_number();
        test_wear_is_a_reason_and_a_number();
        test_sender_is_the_one_that_the_kernel_names();
        test_descriptors_that_come_along_are_closed();
        test_message_that_is_too_long_is_nobodys();
        test_worker_does_not_wait_for_a_master_that_does_not_read();
        test_socket_of_a_killed_predecessor_is_replaced();
        test_folder_is_made_for_us_alone_where_systemd_made_none();
        test_path_that_is_too_long_is_an_error();
        return 0;
}
