/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The receiving end of the window. */
#include "cli/status_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "board/board.h"
#include "board/box.h"
#include "master/supervise.h"

/* A master answers in a turn of its loop; one that takes longer hangs. */
#define PATIENCE_SEC 5

/* Above what any master has. */
#define WORKERS_MAX 4096

/* A slot that changes hands so often while it is looked at holds nothing that lasts. */
#define TRIES_MAX 3

/* -- what is in a box -- */

/* Whether two copies are of the same request in the same state of description. */
static bool same_request(const struct flight *a, const struct flight *b)
{
        const size_t text = offsetof(struct flight, id);

        return a->started_usec == b->started_usec &&
               memcmp((const char *)a + text, (const char *)b + text, sizeof(*a) - text) == 0;
}

/* Its worker may go on to the next request while it is copied. */
static bool copy_flight(const struct flight *flight, struct flight *ret)
{
        struct flight again;

        for (int i = 0; i < TRIES_MAX; i++) {
                if (!flight_read(flight, ret))
                        return false;
                if (flight_read(flight, &again) && same_request(ret, &again))
                        return true;
        }
        return false;
}

static int compare_flights(const void *a, const void *b)
{
        const struct flight *first = a, *second = b;

        return (first->started_usec > second->started_usec) -
               (first->started_usec < second->started_usec);
}

static int copy_flights(struct seen_worker *worker, const struct box *box)
{
        unsigned used = box_flights_used(box);

        worker->flights = calloc(used + 1, sizeof(worker->flights[0]));
        if (!worker->flights)
                return -ENOMEM;
        for (unsigned i = 0; i < used; i++)
                if (copy_flight(&box->flights[i], &worker->flights[worker->n_flights]))
                        worker->n_flights++;
        qsort(worker->flights, worker->n_flights, sizeof(worker->flights[0]), compare_flights);
        return 0;
}

static struct log_counters log_of(const struct box *box)
{
        return log_memory_counters(box->log, box->layout.log_size);
}

static void copy_slot(struct seen_worker *worker, const struct board_slot *slot)
{
        worker->accepting = atomic_load(&slot->accepting) == 1;
        worker->connections = atomic_load(&slot->connections);
        worker->busy = atomic_load(&slot->busy);
        worker->queued = atomic_load(&slot->queued);
        for (size_t i = 0; i < 6; i++)
                worker->responses[i] = atomic_load(&slot->responses[i]);
        worker->sample.taken_usec = now_usec();
        status_add(&worker->sample, slot);
        worker->sample.log_lost = worker->log.lost;
}

/* -- one message after the other -- */

struct receiver {
        struct seen *seen;
        struct board *board; /* the one that came last; NULL: none yet */
        uint64_t n_received;
};

/* Return: the descriptor that came along; -EBADMSG when it is not exactly one. */
static int take_descriptor(struct msghdr *header)
{
        struct cmsghdr *control = CMSG_FIRSTHDR(header);
        int fd;

        if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS ||
            control->cmsg_len != CMSG_LEN(sizeof(fd)))
                return -EBADMSG;
        memcpy(&fd, CMSG_DATA(control), sizeof(fd));
        return fd;
}

static int check(const struct window_message *message, size_t size)
{
        if (size < offsetof(struct window_message, pid) ||
            memcmp(message->magic, WINDOW_MAGIC, sizeof(message->magic)) != 0)
                return -EBADMSG;
        if (message->version != WINDOW_VERSION)
                return -EPROTONOSUPPORT;
        if (size != sizeof(*message) || message->kind > WINDOW_TEMPLATE ||
            message->state >= WORKER_STATES_MAX ||
            !memchr(message->reload.refusal, '\0', sizeof(message->reload.refusal)))
                return -EBADMSG;
        return 0;
}

/* Return: 1 with a message and its descriptor, 0 at the end, or a negative errno. */
static int next_message(int from, struct window_message *ret, int *ret_fd)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec data = {.iov_base = ret, .iov_len = sizeof(*ret)};
        struct msghdr header = {.msg_iov = &data,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                .msg_controllen = sizeof(control)};
        _cleanup_close_ int fd = -1;
        ssize_t size = recvmsg(from, &header, MSG_CMSG_CLOEXEC);
        int r;

        if (size <= 0)
                return size < 0 ? -errno : 0;
        fd = take_descriptor(&header);
        r = check(ret, (size_t)size);
        if (r < 0 || fd < 0 || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                return r < 0 ? r : -EBADMSG;
        *ret_fd = TAKE_FD(fd);
        return 1;
}

static int take_master(struct receiver *receiver, const struct window_message *message,
                       struct box *box)
{
        struct seen *seen = receiver->seen;

        if (seen->master.pid != 0 || message->pid <= 0)
                return -EBADMSG;
        seen->master = *message;
        seen->log = log_of(box);
        return 0;
}

static int take_worker(struct receiver *receiver, const struct window_message *message,
                       struct box *box)
{
        struct seen *seen = receiver->seen;
        struct seen_worker *worker;

        if (!receiver->board || message->slot >= board_n_slots(receiver->board) ||
            seen->n_workers == WORKERS_MAX)
                return -EBADMSG;
        worker = reallocarray(seen->workers, seen->n_workers + 1, sizeof(*worker));
        if (!worker)
                return -ENOMEM;
        seen->workers = worker;
        worker = &seen->workers[seen->n_workers++];
        *worker = (struct seen_worker){.facts = *message, .log = log_of(box)};
        copy_slot(worker, board_slot(receiver->board, message->slot));
        return copy_flights(worker, box);
}

static int take_template(struct receiver *receiver, const struct window_message *message)
{
        struct seen *seen = receiver->seen;

        if (seen->n_templates == TEMPLATES_MAX)
                return -EBADMSG;
        seen->templates[seen->n_templates++] = *message;
        return 0;
}

static int take_facts(struct receiver *receiver, const struct window_message *message,
                      struct box *box)
{
        if (message->kind == WINDOW_MASTER)
                return take_master(receiver, message, box);
        if (message->kind == WINDOW_TEMPLATE)
                return take_template(receiver, message);
        return take_worker(receiver, message, box);
}

static int take_box(struct receiver *receiver, const struct window_message *message, int fd)
{
        struct box *box = NULL;
        int r = box_view(&box, fd);

        if (r < 0) {
                close_descriptor(&fd);
                return r;
        }
        r = take_facts(receiver, message, box);
        box_free(box);
        return r;
}

static int take_board(struct receiver *receiver, int fd)
{
        struct board *board = NULL;
        int r = board_view(&board, fd);

        if (r < 0) {
                close_descriptor(&fd);
                return r;
        }
        board_free(receiver->board);
        receiver->board = board;
        return 0;
}

static int compare_workers(const void *a, const void *b)
{
        const struct window_message *first = &((const struct seen_worker *)a)->facts;
        const struct window_message *second = &((const struct seen_worker *)b)->facts;

        if (first->generation != second->generation)
                return first->generation < second->generation ? -1 : 1;
        if (first->worker_id != second->worker_id)
                return first->worker_id < second->worker_id ? -1 : 1;
        return (first->started_usec > second->started_usec) -
               (first->started_usec < second->started_usec);
}

/* Return: 0 when all that the master sent is in. */
static int receive_all(struct receiver *receiver, int from)
{
        struct seen *seen = receiver->seen;
        struct window_message message;
        int fd = -1, r;

        while ((r = next_message(from, &message, &fd)) > 0) {
                r = message.kind == WINDOW_BOARD ? take_board(receiver, fd)
                                                 : take_box(receiver, &message, fd);
                if (r < 0)
                        return r;
                receiver->n_received++;
        }
        if (r == 0 && receiver->n_received == 0)
                return -EBUSY;
        if (r == 0 && seen->master.pid == 0)
                return -EBADMSG;
        if (r == 0 && seen->master.n_following + 1 > receiver->n_received)
                seen->n_unseen = seen->master.n_following + 1 - receiver->n_received;
        return r;
}

/* -- the whole -- */

int status_connect(const char *path)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        const struct timeval patience = {.tv_sec = PATIENCE_SEC};
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t size = strlen(path);

        if (size >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, size + 1);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        return TAKE_FD(fd);
}

int status_receive(struct seen **ret, int fd)
{
        struct receiver receiver = {.seen = calloc(1, sizeof(*receiver.seen))};
        struct seen *seen = receiver.seen;
        int r;

        if (!seen)
                return -ENOMEM;
        seen->taken_usec = now_usec();
        r = receive_all(&receiver, fd);
        board_free(receiver.board);
        if (r < 0) {
                seen_free(seen);
                return r;
        }
        if (seen->n_workers > 0)
                qsort(seen->workers, seen->n_workers, sizeof(seen->workers[0]), compare_workers);
        *ret = seen;
        return 0;
}

int status_look(struct seen **ret, const char *path)
{
        _cleanup_close_ int fd = status_connect(path);

        return fd < 0 ? fd : status_receive(ret, fd);
}

void seen_free(struct seen *seen)
{
        if (!seen)
                return;
        for (size_t i = 0; i < seen->n_workers; i++)
                free(seen->workers[i].flights);
        free(seen->workers);
        free(seen);
}

uint64_t seen_age(const struct seen *seen, uint64_t since_usec)
{
        return since_usec < seen->taken_usec ? seen->taken_usec - since_usec : 0;
}

/* -- two looks -- */

struct status_sample seen_before(const struct seen *earlier, const struct seen_worker *worker)
{
        for (size_t i = 0; i < earlier->n_workers; i++) {
                const struct window_message *facts = &earlier->workers[i].facts;

                if (facts->pid == worker->facts.pid &&
                    facts->started_usec == worker->facts.started_usec)
                        return earlier->workers[i].sample;
        }
        return (struct status_sample){.taken_usec = earlier->taken_usec};
}

static void add(struct status_sample *sum, const struct status_sample *sample)
{
        sum->workers += sample->workers;
        sum->busy += sample->busy;
        sum->requests += sample->requests;
        sum->log_lost += sample->log_lost;
        for (size_t i = 0; i < BOARD_LATENCY_BUCKETS; i++)
                sum->latency[i] += sample->latency[i];
}

void seen_sum(struct seen_total *ret, const struct seen *earlier, const struct seen *now)
{
        *ret = (struct seen_total){
                .before.taken_usec = earlier->taken_usec,
                .now.taken_usec = now->taken_usec,
                .now.log_lost = now->log.lost,
                .now.wanted = now->master.n_wanted,
                .now.least = now->master.n_least,
                .now.most = now->master.n_most,
        };
        for (size_t i = 0; i < now->n_workers; i++) {
                const struct seen_worker *worker = &now->workers[i];
                struct status_sample before = seen_before(earlier, worker);

                ret->in_flight += worker->n_flights;
                ret->queued += worker->queued;
                if (worker->facts.state != WORKER_READY)
                        continue;
                add(&ret->before, &before);
                add(&ret->now, &worker->sample);
        }
}
