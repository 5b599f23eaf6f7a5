/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which server is found among those that live, that were killed, and that are not ours. */
#include "cli/status_find.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board/box.h"

#define SERVERS_MAX 4

/* A folder with servers in folders of their own. */
struct place {
        char path[64];
        char sockets[SERVERS_MAX][128];
        pid_t servers[SERVERS_MAX];
        size_t n;
};

static void begin(struct place *place)
{
        *place = (struct place){.path = "/tmp/test_cli_status_find.XXXXXX"};
        assert(mkdtemp(place->path));
}

/* One that answers each viewer with a master that has no workers. */
static void serve(int listener, pid_t pid, uint32_t version)
{
        struct window_message message = {.version = version, .kind = WINDOW_MASTER, .pid = pid};
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {.header = {.cmsg_level = SOL_SOCKET,
                                .cmsg_type = SCM_RIGHTS,
                                .cmsg_len = CMSG_LEN(sizeof(int))}};
        struct iovec data = {.iov_base = &message, .iov_len = sizeof(message)};
        struct msghdr header = {.msg_iov = &data,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                .msg_controllen = sizeof(control)};
        const struct box_layout layout = {0};
        struct box *box = NULL;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || box_new(&box, &layout) < 0)
                _exit(1);
        memcpy(message.magic, WINDOW_MAGIC, sizeof(message.magic));
        memcpy(CMSG_DATA(&control.header), &box->fd, sizeof(box->fd));
        for (;;) {
                int viewer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

                (void)sendmsg(viewer, &header, MSG_NOSIGNAL);
                (void)close(viewer);
        }
}

/* @age: seconds since it was started. */
static void add(struct place *place, const char *name, long age, uint32_t version)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        const struct timespec times[2] = {{.tv_sec = 1000000000 - age},
                                          {.tv_sec = 1000000000 - age}};
        char folder[100];
        size_t i = place->n++;

        (void)snprintf(folder, sizeof(folder), "%s/%s", place->path, name);
        (void)snprintf(place->sockets[i], sizeof(place->sockets[i]), "%s/%s", folder,
                       WINDOW_SOCKET);
        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", place->sockets[i]);
        assert(mkdir(folder, 0700) == 0 && listener >= 0);
        assert(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0);
        assert(listen(listener, 4) == 0);
        assert(utimensat(AT_FDCWD, folder, times, 0) == 0);
        place->servers[i] = fork();
        assert(place->servers[i] >= 0);
        if (place->servers[i] == 0)
                serve(listener, 1000 + (int)i, version);
        assert(close(listener) == 0);
}

/* It leaves its socket. */
static void kill_server(struct place *place, size_t i)
{
        int status;

        if (place->servers[i] == 0)
                return;
        assert(kill(place->servers[i], SIGKILL) == 0);
        assert(waitpid(place->servers[i], &status, 0) == place->servers[i]);
        place->servers[i] = 0;
}

static void end(struct place *place)
{
        for (size_t i = 0; i < place->n; i++) {
                kill_server(place, i);
                assert(unlink(place->sockets[i]) == 0);
                *strrchr(place->sockets[i], '/') = '\0';
                assert(rmdir(place->sockets[i]) == 0);
        }
        assert(rmdir(place->path) == 0);
}

/* Return: the pid of the master that was found, or a negative errno. */
static int found(const char *installed, const char *first, const char *second,
                 char path[static STATUS_PATH_MAX])
{
        const char *const folders[] = {first, second};
        const struct status_places places = {
                .installed = installed, .folders = folders, .n_folders = second ? 2 : 1};
        struct seen *seen = NULL;
        int r = status_find(&seen, path, &places);

        if (r < 0) {
                assert(!seen);
                return r;
        }
        r = seen->master.pid;
        seen_free(seen);
        return r;
}

static void test_none_is_no_entry(void)
{
        char path[STATUS_PATH_MAX];
        struct place place;

        begin(&place);
        assert(found("/nowhere/status", place.path, "/nowhere", path) == -ENOENT && !*path);
        end(&place);
}

static void test_installed_one_comes_first(void)
{
        char path[STATUS_PATH_MAX];
        struct place place;

        begin(&place);
        add(&place, "appsrv-new", 0, WINDOW_VERSION);
        add(&place, "installed", 9, WINDOW_VERSION);
        assert(found(place.sockets[1], place.path, NULL, path) == 1001);
        assert(strcmp(path, place.sockets[1]) == 0);
        end(&place);
}

static void test_newest_that_answers_is_found(void)
{
        char path[STATUS_PATH_MAX];
        struct place place;

        begin(&place);
        add(&place, "appsrv-old", 20, WINDOW_VERSION);
        add(&place, "appsrv-newer", 10, WINDOW_VERSION);
        add(&place, "appsrv-newest", 5, WINDOW_VERSION);
        add(&place, "other", 0, WINDOW_VERSION);
        assert(found("/nowhere/status", place.path, NULL, path) == 1002);
        kill_server(&place, 2);
        assert(found("/nowhere/status", place.path, NULL, path) == 1001);
        kill_server(&place, 1);
        assert(found("/nowhere/status", place.path, NULL, path) == 1000);
        assert(strcmp(path, place.sockets[0]) == 0);
        kill_server(&place, 0);
        assert(found("/nowhere/status", place.path, NULL, path) == -ENOENT && !*path);
        end(&place);
}

static void test_first_folder_comes_before_newer_ones_of_the_second(void)
{
        char path[STATUS_PATH_MAX];
        struct place first, second;

        begin(&first);
        begin(&second);
        add(&first, "appsrv-old", 20, WINDOW_VERSION);
        add(&second, "appsrv-x", 5, WINDOW_VERSION);
        add(&second, "appsrv-y", 6, WINDOW_VERSION);
        assert(found("/nowhere/status", second.path, first.path, path) == 1000);
        assert(strcmp(path, second.sockets[0]) == 0);
        end(&first);
        end(&second);
}

static void test_one_that_is_there_and_cannot_be_looked_at_is_named(void)
{
        char path[STATUS_PATH_MAX];
        struct place place;

        begin(&place);
        add(&place, "appsrv-a", 5, WINDOW_VERSION + 1);
        assert(found("/nowhere/status", place.path, NULL, path) == -EPROTONOSUPPORT);
        assert(strcmp(path, place.sockets[0]) == 0);
        add(&place, "appsrv-b", 9, WINDOW_VERSION);
        assert(found("/nowhere/status", place.path, NULL, path) == 1001);
        assert(strcmp(path, place.sockets[1]) == 0);
        end(&place);
}

static void test_folder_of_somebody_else_is_passed_over(void)
{
        char path[STATUS_PATH_MAX], link[128];
        struct place place, elsewhere;

        begin(&place);
        begin(&elsewhere);
        add(&elsewhere, "appsrv-a", 5, WINDOW_VERSION);
        (void)snprintf(link, sizeof(link), "%s/appsrv-link", place.path);
        *strrchr(elsewhere.sockets[0], '/') = '\0';
        assert(symlink(elsewhere.sockets[0], link) == 0);
        elsewhere.sockets[0][strlen(elsewhere.sockets[0])] = '/';
        assert(found("/nowhere/status", place.path, NULL, path) == -ENOENT);
        assert(unlink(link) == 0);

        /* Only root can give a folder away. */
        if (geteuid() == 0) {
                char folder[128];

                (void)snprintf(folder, sizeof(folder), "%s/appsrv-a", elsewhere.path);
                assert(chown(folder, 64998, 64998) == 0);
                assert(found("/nowhere/status", elsewhere.path, NULL, path) == -ENOENT);
        }
        end(&elsewhere);
        end(&place);
}

int main(void)
{
        test_none_is_no_entry();
        test_installed_one_comes_first();
        test_newest_that_answers_is_found();
        test_first_folder_comes_before_newer_ones_of_the_second();
        test_one_that_is_there_and_cannot_be_looked_at_is_named();
        test_folder_of_somebody_else_is_passed_over();
        return 0;
}
