/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Black boxes given into systemd's keeping, and those that it gives back at the start. */
#include "master/store.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "master/listen.h"

enum { FIRST_PASSED = 3, DESCRIPTORS_MAX = 8 };

static const struct box_layout small = {.n_flights = 1, .log_size = 4096};

/* -- something that plays systemd -- */

/* A process that gets $NOTIFY_SOCKET and reads what is sent there. */
struct manager_socket {
        int fd;
};

static struct manager_socket manager_listen(void)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct manager_socket manager = {socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        char name[64];
        size_t size;

        size = (size_t)snprintf(name, sizeof(name), "@appsrv-test-store-%d", getpid());
        memcpy(address.sun_path, name, size);
        address.sun_path[0] = '\0';
        assert(manager.fd >= 0);
        assert(bind(manager.fd, (const struct sockaddr *)&address,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) == 0);
        assert(setenv("NOTIFY_SOCKET", name, 1) == 0);
        return manager;
}

static void manager_close(struct manager_socket *manager)
{
        char rest;

        assert(recv(manager->fd, &rest, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
        assert(close(manager->fd) == 0 && unsetenv("NOTIFY_SOCKET") == 0);
}

/* The next message, which must be @want. Return: how many descriptors came along; the first one in
 * @ret_fd. */
static size_t manager_receive(const struct manager_socket *manager, const char *want, int *ret_fd)
{
        union {
                struct cmsghdr header;
                char bytes[512];
        } control;
        char text[256] = "";
        struct iovec room = {.iov_base = text, .iov_len = sizeof(text) - 1};
        struct msghdr message = {.msg_iov = &room,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        size_t n_fds = 0;

        assert(recvmsg(manager->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0);
        assert(strcmp(text, want) == 0);
        for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
                if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
                        continue;
                n_fds += (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(ret_fd, CMSG_DATA(at), sizeof(*ret_fd));
        }
        return n_fds;
}

static bool same_file(int one, int other)
{
        struct stat first, second;

        assert(fstat(one, &first) == 0 && fstat(other, &second) == 0);
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

static void test_box_is_kept_from_its_making_to_its_end(void)
{
        struct manager_socket manager = manager_listen();
        struct store store;
        struct stored_box stored;
        int kept = -1;

        store_init(&store);
        assert(store_new(&store, &small, &stored) == 0);
        assert(strcmp(stored.name, "blackbox-1") == 0 && stored.kept);
        assert(manager_receive(&manager, "FDSTORE=1\nFDNAME=blackbox-1\nFDPOLL=0", &kept) == 1);
        assert(same_file(kept, stored.box->fd) && close(kept) == 0);

        store_end(&stored);
        assert(!stored.box && !stored.kept);
        assert(manager_receive(&manager, "FDSTOREREMOVE=1\nFDNAME=blackbox-1", &kept) == 0);
        manager_close(&manager);
}

static void test_box_that_is_left_stays_in_the_store(void)
{
        struct manager_socket manager = manager_listen();
        struct store store;
        struct stored_box stored;
        struct box *again;
        int kept = -1;

        store_init(&store);
        assert(store_new(&store, &small, &stored) == 0);
        assert(manager_receive(&manager, "FDSTORE=1\nFDNAME=blackbox-1\nFDPOLL=0", &kept) == 1);
        memcpy(stored.box->log, "left", 4);
        store_leave(&stored);
        assert(!stored.box && !stored.kept);

        assert(box_open(&again, kept) == 0 && memcmp(again->log, "left", 4) == 0);
        box_free(again);
        manager_close(&manager);
}

static void test_each_box_has_a_name_of_its_own(void)
{
        struct store store;
        struct stored_box first, second, third;

        store_init(&store);
        assert(store_new(&store, &small, &first) == 0 && store_new(&store, &small, &second) == 0);
        assert(strcmp(first.name, "blackbox-1") == 0 && strcmp(second.name, "blackbox-2") == 0);
        store_end(&first);
        assert(store_new(&store, &small, &third) == 0 && strcmp(third.name, "blackbox-3") == 0);
        store_end(&second);
        store_end(&third);
        store_end(&third); /* is empty by now */
}

static void test_without_systemd_nothing_is_kept(void)
{
        struct store store;
        struct stored_box stored;

        store_init(&store);
        assert(store_new(&store, &small, &stored) == 0 && stored.box && !stored.kept);
        store_end(&stored);
        assert(setenv("NOTIFY_SOCKET", "/nowhere/notify", 1) == 0);
        assert(store_new(&store, &small, &stored) == 0 && stored.box && !stored.kept);
        store_end(&stored);
        assert(unsetenv("NOTIFY_SOCKET") == 0);
}

static void test_names_of_boxes_are_told_from_names_of_sockets(void)
{
        assert(store_is_box("blackbox-1") && store_is_box("blackbox-12345"));
        assert(!store_is_box("http") && !store_is_box("blackbox") && !store_is_box("") &&
               !store_is_box("my-blackbox-1") && !store_is_box("unknown"));
}

/* -- what systemd passes -- */

/* In a process of its own, which has the descriptors that systemd would pass it. */
static void in_child(void (*test)(void))
{
        pid_t child = fork();
        int status;

        assert(child >= 0);
        if (child == 0) {
                (void)close_range(FIRST_PASSED, ~0U, 0);
                test();
                _exit(0);
        }
        assert(waitpid(child, &status, 0) == child);
        assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The lowest free descriptor, so one behind the other from FIRST_PASSED on. */
static int listening_socket(void)
{
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
        assert(listen(fd, 8) == 0);
        return fd;
}

/* Left by process @pid. @version: beside the one that is known. */
static int left_box(int pid, uint32_t version)
{
        struct box *box;
        int fd;

        assert(box_new(&box, &small) == 0);
        atomic_store(&box->header->identity.pid, pid);
        box->header->version += version;
        fd = dup(box->fd);
        box_free(box);
        assert(fd >= 0 && dup2(fd, fd - 1) == fd - 1 && close(fd) == 0);
        return fd - 1;
}

static void pass(int n, const char *names)
{
        char pid[16], number[16];

        (void)snprintf(pid, sizeof(pid), "%d", getpid());
        (void)snprintf(number, sizeof(number), "%d", n);
        assert(setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", number, 1) == 0 &&
               setenv("LISTEN_FDNAMES", names, 1) == 0);
}

static void names_count_on_from_the_highest(void)
{
        struct store store;
        struct stored_box stored;

        for (int fd = FIRST_PASSED; fd < FIRST_PASSED + 5; fd++)
                assert(left_box(1, 0) == fd);
        pass(5, "blackbox-3:http:blackbox-41:blackbox-999x:blackbox-7");
        store_init(&store);
        assert(store_new(&store, &small, &stored) == 0);
        assert(strcmp(stored.name, "blackbox-42") == 0);
        store_end(&stored);
}

static void check_inherited(int *at, const char *name, int fd, int pid)
{
        struct stored_box stored;

        assert(store_inherited(at, &stored) == 1);
        assert(strcmp(stored.name, name) == 0 && stored.kept && same_file(stored.box->fd, fd));
        assert(atomic_load(&stored.box->header->identity.pid) == pid);
        assert(fcntl(stored.box->fd, F_GETFD) & FD_CLOEXEC);
        store_leave(&stored);
}

static void check_refused(int *at, int want, const char *name)
{
        struct stored_box stored;

        assert(store_inherited(at, &stored) == want);
        assert(strcmp(stored.name, name) == 0 && !stored.box);
}

static void inherited_boxes_are_opened_and_refused_ones_dropped(void)
{
        struct manager_socket manager;
        struct listeners listeners = {0};
        char culprit[LISTEN_NAME_MAX] = "";
        struct stored_box none;
        int at = 0, fd;

        assert(listening_socket() == 3 && left_box(44, 0) == 4 && dup(3) == 5 &&
               left_box(46, 1) == 6 && left_box(47, 0) == 7);
        pass(5, "http:blackbox-4:blackbox-5:blackbox-6:blackbox-9");
        manager = manager_listen();

        check_inherited(&at, "blackbox-4", 4, 44);
        check_refused(&at, -EBADMSG, "blackbox-5");
        assert(manager_receive(&manager, "FDSTOREREMOVE=1\nFDNAME=blackbox-5", &fd) == 0);
        check_refused(&at, -EPROTONOSUPPORT, "blackbox-6");
        assert(manager_receive(&manager, "FDSTOREREMOVE=1\nFDNAME=blackbox-6", &fd) == 0);
        check_inherited(&at, "blackbox-9", 7, 47);
        assert(store_inherited(&at, &none) == 0 && store_inherited(&at, &none) == 0);
        manager_close(&manager);

        /* Boxes that are gone by now do not hide the sockets. */
        assert(listen_all(&listeners, NULL, 0, culprit) == 0);
        assert(listeners.n == 1 && listeners.list[0].endpoint.fd == 3);
        listen_close(&listeners);
        for (fd = 4; fd <= 7; fd++)
                assert(fcntl(fd, F_GETFD) < 0);
}

static void nothing_is_inherited_when_nothing_was_passed(void)
{
        struct stored_box stored;
        int at = 0;

        assert(store_inherited(&at, &stored) == 0);
        pass(0, "");
        assert(store_inherited(&at, &stored) == 0);
}

static void sockets_are_found_between_boxes(void)
{
        struct listeners listeners = {0};
        char culprit[LISTEN_NAME_MAX] = "";

        assert(left_box(1, 0) == 3 && listening_socket() == 4 && left_box(2, 0) == 5);
        pass(3, "blackbox-1:http:blackbox-2");
        assert(listen_all(&listeners, NULL, 0, culprit) == 0);
        assert(listeners.n == 1 && listeners.list[0].endpoint.fd == 4);
        listen_close(&listeners);
        assert(fcntl(3, F_GETFD) < 0 && fcntl(5, F_GETFD) < 0);
}

/* As when appsrv was started without its socket unit. */
static void boxes_alone_are_no_sockets(void)
{
        char culprit[LISTEN_NAME_MAX] = "", path[] = "/tmp/appsrv-test-XXXXXX", address[64];
        char *addresses[] = {address};
        struct listeners listeners = {0};

        assert(mkdtemp(path));
        (void)snprintf(address, sizeof(address), "unix:%s/socket", path);
        assert(left_box(1, 0) == 3);
        pass(1, "blackbox-1");
        assert(listen_all(&listeners, addresses, 1, culprit) == 0);
        assert(listeners.n == 1 && strstr(listeners.list[0].name, path));
        listen_close(&listeners);
        assert(rmdir(path) == 0);
}

int main(void)
{
        (void)unsetenv("NOTIFY_SOCKET");
        test_box_is_kept_from_its_making_to_its_end();
        test_box_that_is_left_stays_in_the_store();
        test_each_box_has_a_name_of_its_own();
        test_without_systemd_nothing_is_kept();
        test_names_of_boxes_are_told_from_names_of_sockets();
        in_child(names_count_on_from_the_highest);
        in_child(inherited_boxes_are_opened_and_refused_ones_dropped);
        in_child(nothing_is_inherited_when_nothing_was_passed);
        in_child(sockets_are_found_between_boxes);
        in_child(boxes_alone_are_no_sockets);
        return 0;
}
