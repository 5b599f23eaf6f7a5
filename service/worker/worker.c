/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker's life: set-up, the loop, the drain, the end. Its main thread sets up and tears down; in
 * between the threads of the pool turn the loop. */
#include "worker/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "log/events.h"
#include "worker/accept.h"
#include "worker/admin.h"
#include "worker/crash.h"
#include "worker/greeting.h"
#include "worker/hosting.h"
#include "worker/http.h"
#include "worker/loop.h"
#include "worker/notify.h"
#include "worker/pool.h"
#include "worker/process.h"
#include "worker/spin.h"
#include "worker/stacks.h"
#include "worker/stall.h"
#include "worker/trim.h"
#include "worker/unseen.h"
#include "worker/wear.h"

struct worker {
        const struct worker_options *options;
        const struct config *config;
        struct app_host *host;
        struct capture *capture;
        struct service service;
        struct hosting hosting;
        struct loop loop;
        struct lingers lingers;
        struct trim trim;
        struct stalls stalls;
        struct address_set trusted; /* with their PROXY headers */
        struct greetings greetings;
        struct wear wear;
        struct http *http;
        struct admin admin;
        struct acceptor *acceptor; /* NULL: it accepts no more */
        int notify;
        int signals;
        struct watch on_http[HTTP_FDS_MAX];
        struct watch on_finished;
        struct watch on_signal;
        struct watch on_log_wake;
        struct watch on_log_output;
        uint64_t next_beat;
        uint64_t log_wake; /* of what was sent and is not in safety yet */
        bool told_to_drain;
        uint64_t drain_end; /* USEC_NEVER: not draining */
        uint64_t now;
        bool hurries; /* there is something to do without any event */
        bool asked;   /* the last turn asked for events */
        struct spin spin;
        int failure; /* of the loop: a negative errno */
};

/* -- set-up -- */

struct box_layout worker_box_layout(const struct config *config)
{
        return (struct box_layout){
                .n_flights = http_flights_max(config),
                .output_size = output_memory_size(),
                .log_size = log_memory_size(config->log_buffer),
        };
}

static int start_service(struct worker *worker)
{
        const struct config *config = worker->config;
        struct service *service = &worker->service;
        int r;

        service->config = config;
        service->apps = worker->hosting.apps;
        service->lanes = worker->hosting.lanes;
        service->log = worker->host->log;
        service->subject = worker->host->subject;
        service->board = worker->options->board;
        service->slot = board_slot(service->board, worker->options->slot);
        service->limits = (struct head_limits){
                .request_line = config->http_limit_request_line,
                .request_fields = config->http_limit_request_fields,
                .request_field_size = config->http_limit_request_field_size,
                .request_body = config->http_limit_request_body,
        };
        if (getrandom(&service->id_prefix, sizeof(service->id_prefix), 0) < 0)
                return -errno;
        wear_init(&worker->wear, config, service->id_prefix, now_usec());
        r = flights_init(&service->flights, worker->options->box->flights,
                         worker->options->box->layout.n_flights,
                         &worker->options->box->header->flights_used);
        if (r < 0)
                return r;
        return pool_new(&service->pool, config->server_threads, service->slot);
}

/* -- events of the loop -- */

static struct worker *worker_of_signal(struct watch *watch)
{
        return (struct worker *)((char *)watch - offsetof(struct worker, on_signal));
}

/* These wake the loop; what is to be done is done in every turn. */
static void on_wake(struct watch *watch)
{
        (void)watch;
}

static void on_connected(void *data, const struct endpoint *endpoint, int fd,
                         const struct sockaddr *address, socklen_t size)
{
        struct worker *worker = data;

        if (endpoint->admin || worker->config->http_proxy_protocol == PROXY_PROTOCOL_OFF)
                http_add(worker->http, endpoint, fd, address, size);
        else
                greetings_add(&worker->greetings, endpoint, fd, address, size);
        http_greeting(worker->http, worker->greetings.n);
}

static void on_greeted(void *data, const struct endpoint *endpoint, int fd,
                       const struct sockaddr *address, socklen_t size)
{
        struct worker *worker = data;

        http_add(worker->http, endpoint, fd, address, size);
}

static void on_not_greeted(void *data, enum greeting_end end, const struct sockaddr *peer,
                           uint64_t since)
{
        struct worker *worker = data;

        unseen_greeting(&worker->service, end, peer, since);
}

static void prepare_greetings(struct worker *worker)
{
        const struct greetings_options options = {
                .loop = &worker->loop,
                .trusted = &worker->trusted,
                .timeout = worker->config->http_header_timeout,
                .greeted = on_greeted,
                .ended = on_not_greeted,
                .data = worker,
        };

        /* It was read before, when the configuration was checked. */
        (void)address_set_parse(worker->config->http_forwarded_allow_ips, &worker->trusted);
        greetings_init(&worker->greetings, &options);
}

static void stop_accepting(struct worker *worker)
{
        atomic_store_explicit(&worker->service.slot->accepting, 0, memory_order_relaxed);
        acceptor_free(worker->acceptor);
        worker->acceptor = NULL;
        admin_leave(&worker->admin);
}

/* With a thread that may be lost it leaves new connections to others, or to the backlog when it has
 * lost all, or all of its applications hang; where there is nobody else it serves on until its
 * successor does. */
static void step_aside_if_stuck(struct worker *worker)
{
        const struct service *service = &worker->service;
        bool all = service->n_overdue >= worker->config->server_threads ||
                   (service->hung && stalls_concern_all(&worker->stalls));

        if (!service->overdue || !worker->acceptor)
                return;
        atomic_store_explicit(&service->slot->accepting, 0, memory_order_relaxed);
        if (all || board_least_connections(service->board) != UINT32_MAX)
                stop_accepting(worker);
        else
                atomic_store_explicit(&service->slot->accepting, 1, memory_order_relaxed);
}

/* From now on begin nothing new; the end comes when the last connection is gone or the time is up.
 * Between two turns of the loop: what frees watches must not do so while the loop goes through
 * those that are ready. */
static void drain_if_told(struct worker *worker, uint64_t now)
{
        if (!worker->told_to_drain || worker->drain_end != USEC_NEVER)
                return;
        worker->drain_end = now + worker->config->server_graceful_timeout;
        stop_accepting(worker);
        http_drain(worker->http);
        greetings_drain(&worker->greetings);
        worker->next_beat = now; /* tells the master */
}

static void on_signal(struct watch *watch)
{
        eventfd_t count;

        if (eventfd_read(watch->fd, &count) == 0)
                worker_of_signal(watch)->told_to_drain = true;
}

static int watch_http(struct worker *worker)
{
        int fds[HTTP_FDS_MAX];
        size_t n = http_fds(worker->http, fds);
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                worker->on_http[i] = (struct watch){.fd = fds[i], .ready = on_wake};
                r = loop_watch(&worker->loop, &worker->on_http[i], EPOLLIN);
        }
        return r;
}

static int watch_all(struct worker *worker)
{
        struct loop *loop = &worker->loop;
        int r;

        worker->on_finished = (struct watch){.fd = pool_fd(worker->service.pool), .ready = on_wake};
        worker->on_signal = (struct watch){.fd = worker->signals, .ready = on_signal};
        worker->on_log_wake =
                (struct watch){.fd = log_wake_fd(worker->host->log), .ready = on_wake};
        worker->on_log_output = (struct watch){.fd = -1, .ready = on_wake};

        r = watch_http(worker);
        if (r == 0)
                r = loop_watch(loop, &worker->on_finished, EPOLLIN);
        if (r == 0)
                r = loop_watch(loop, &worker->on_signal, EPOLLIN);
        if (r == 0)
                r = loop_watch(loop, &worker->on_log_wake, EPOLLIN);
        return r;
}

static int start_accepting(struct worker *worker)
{
        const struct acceptor_options options = {
                .loop = &worker->loop,
                .board = worker->options->board,
                .slot = worker->service.slot,
                .endpoints = worker->options->endpoints,
                .n_endpoints = worker->options->n_endpoints,
                .limit = worker->config->http_worker_connections,
                .surplus = HTTP_CONNECTIONS_BESIDE,
                .connected = on_connected,
                .data = worker,
        };

        worker->loop.slot = worker->service.slot;
        int r = acceptor_new(&worker->acceptor, &options);

        worker->admin =
                (struct admin){.loop = &worker->loop, .connected = on_connected, .data = worker};
        if (r == 0)
                r = admin_watch(&worker->admin, options.endpoints, options.n_endpoints);
        atomic_store_explicit(&worker->service.slot->accepting, r == 0, memory_order_relaxed);
        return r;
}

/* Return: an exit_code; 0: serving. */
static int set_up(struct worker *worker)
{
        int code, r;

        worker->signals = process_begin(worker->host, worker->options, &worker->capture);
        if (worker->signals < 0)
                return EXIT_CODE_BUG;
        code = hosting_start(&worker->hosting, worker->config, worker->host, worker->notify);
        if (code != EXIT_CODE_OK)
                return code;

        r = stacks_watch();
        if (r == 0)
                r = start_service(worker);
        if (r == 0)
                r = stalls_init(&worker->stalls, &worker->service);
        if (r == 0)
                r = http_new(
                        &worker->http, &worker->service, worker->options->tls,
                        admin_is_wanted(worker->options->endpoints, worker->options->n_endpoints),
                        &worker->lingers);
        if (r == -EPROTO)
                (void)notify_send(worker->notify, "STATUS=this libmicrohttpd cannot be trusted: "
                                                  "its buffer is not as it should be");
        if (r == 0)
                r = watch_all(worker);
        if (r == 0)
                r = start_accepting(worker);
        return r < 0 ? EXIT_CODE_BUG : EXIT_CODE_OK;
}

/* -- the loop -- */

/* Ship what the turn produced, and be woken when the sink takes more. */
static void ship_records(struct worker *worker)
{
        struct board_slot *slot = worker->service.slot;
        int r = log_ship(worker->host->log);
        int fd = log_output_fd(worker->host->log);
        struct log_counters counters = log_counters(worker->host->log);

        atomic_store_explicit(&slot->log_shipped, counters.shipped, memory_order_relaxed);
        atomic_store_explicit(&slot->log_lost, counters.lost, memory_order_relaxed);

        worker->log_wake = log_wake_usec(worker->host->log);
        if (worker->on_log_output.active && (r == 0 || worker->on_log_output.fd != fd))
                loop_forget(&worker->loop, &worker->on_log_output);
        if (r == -EAGAIN && fd >= 0) {
                worker->on_log_output.fd = fd;
                (void)loop_watch(&worker->loop, &worker->on_log_output, EPOLLOUT);
        }
}

static void look_at_wear(struct worker *worker, uint64_t now)
{
        const struct service *service = &worker->service;
        uint64_t requests = atomic_load_explicit(&service->slot->requests, memory_order_relaxed);

        if (wear_turn(&worker->wear, requests, now) ||
            (service->overdue &&
             wear_condemn(&worker->wear, service->hung ? WEAR_HUNG : WEAR_STUCK)))
                worker->next_beat = now; /* tells the master */
}

/* The watchdog is fed from here and nowhere else: a worker whose loop does not turn does not beat.
 */
static void beat(struct worker *worker, uint64_t now)
{
        int r;

        if (now < worker->next_beat)
                return;
        r = notify_beat(worker->notify, worker->drain_end != USEC_NEVER, &worker->wear);
        worker->next_beat = notify_next_beat(r, now, worker->config->server_watchdog);
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t wait_usec(struct worker *worker, uint64_t now, uint64_t library)
{
        uint64_t wake = earliest(worker->next_beat, http_wake_usec(worker->http));
        uint64_t requests =
                atomic_load_explicit(&worker->service.slot->requests, memory_order_relaxed);

        wake = earliest(wake, wear_wake_usec(&worker->wear, requests));
        wake = earliest(wake, earliest(worker->log_wake, worker->drain_end));
        wake = earliest(wake, pool_wake_usec(worker->service.pool));
        wake = earliest(wake, greetings_wake_usec(&worker->greetings));
        wake = earliest(wake, overdues_wake_usec(&worker->service.overdues, now));
        wake = earliest(wake, lingers_wake_usec(&worker->lingers));
        wake = earliest(wake, trim_wake_usec(&worker->trim));
        wake = earliest(wake, stalls_wake_usec(&worker->stalls));
        if (worker->acceptor)
                wake = earliest(wake, acceptor_wake_usec(worker->acceptor));
        return earliest(spin_pause(&worker->spin, library), wake > now ? wake - now : 0);
}

static bool serving(const struct worker *worker, uint64_t now)
{
        if (worker->drain_end == USEC_NEVER)
                return true;
        return http_connections(worker->http) + worker->greetings.n > 0 && now < worker->drain_end;
}

static void on_lead(void *data)
{
        struct worker *worker = data;

        log_own(worker->host->log);
        crash_about_me();
        worker->hurries = true;
}

static void do_work(struct worker *worker)
{
        uint64_t now = worker->now;

        step_aside_if_stuck(worker);
        drain_if_told(worker, now);
        http_turn(worker->http);
        if (worker->acceptor)
                acceptor_turn(worker->acceptor, now);
        http_check_deadlines(worker->http, now);
        stalls_turn(&worker->stalls, worker->http, now);
        overdues_turn(&worker->service, now);
        greetings_turn(&worker->greetings, now);
        http_greeting(worker->http, worker->greetings.n);
        lingers_turn(&worker->lingers, now);
        trim_turn(&worker->trim, http_connections(worker->http), now);
        ship_records(worker);
        look_at_wear(worker, now);
        beat(worker, now);
}

/* Jobs that the leader has run are answered before the kernel is asked for more, every other time.
 * Return: 0, or a negative errno. */
static int wait_for_events(struct worker *worker)
{
        bool hurries = worker->hurries || pool_has_finished(worker->service.pool);
        uint64_t library;
        int n;

        worker->hurries = false;
        worker->asked = !(hurries && worker->asked);
        if (!worker->asked)
                return 0;
        if (worker->acceptor)
                acceptor_settle(worker->acceptor);
        library = http_timeout_usec(worker->http);
        n = loop_turn(&worker->loop, hurries ? 0 : wait_usec(worker, worker->now, library));
        spin_count(&worker->spin, hurries ? 1 : n, library);
        return n < 0 ? n : 0;
}

/* Return: false when the worker was told to end and nothing is left to do or the time is up, or
 * when the loop has failed. */
static bool turn(void *data)
{
        struct worker *worker = data;

        log_lead(worker->host->log, true);
        worker->failure = wait_for_events(worker);
        if (worker->failure == 0) {
                worker->now = now_usec();
                do_work(worker);
        }
        log_lead(worker->host->log, false);
        return worker->failure == 0 && serving(worker, worker->now);
}

/* Return: 0, or a negative errno. */
static int serve(struct worker *worker)
{
        const struct pool_loop loop = {.lead = on_lead, .turn = turn, .data = worker};

        worker->now = now_usec();
        pool_lead(worker->service.pool, &loop);
        on_lead(worker);
        log_lead(worker->host->log, true);
        return worker->failure;
}

/* -- the end -- */

/* Applications may still be running: their requests get a record, and nothing that they use is
 * touched, the log neither. */
static void give_up(struct worker *worker)
{
        overdues_finish(&worker->service);
        http_give_up(worker->http);
        capture_stop(worker->capture);
        (void)log_finish(worker->host->log, LAST_RECORDS_USEC, process_has_heir(worker->options));
}

/* The loop does not turn any more, so there is no beat while applications stop; they have until the
 * end of the drain. One that had nothing to drain has not said yet that it ends. */
static void announce_end(const struct worker *worker)
{
        char message[64];

        (void)snprintf(message, sizeof(message), "%sEXTEND_TIMEOUT_USEC=%" PRIu64,
                       worker->drain_end != USEC_NEVER ? "STOPPING=1\n" : "",
                       worker->config->server_graceful_timeout);
        (void)notify_send(worker->notify, message);
}

static void tear_down(struct worker *worker)
{
        struct service *service = &worker->service;

        overdues_finish(service);
        announce_end(worker);
        acceptor_free(worker->acceptor);
        http_free(worker->http);
        pool_free(service->pool);
        stalls_done(&worker->stalls);
        hosting_stop(&worker->hosting);
        flights_done(&service->flights);
        greetings_done(&worker->greetings);
        lingers_done(&worker->lingers);
        loop_done(&worker->loop);
        close_descriptor(&worker->notify);
        capture_stop(worker->capture);
        (void)log_close(worker->host->log, LAST_RECORDS_USEC, process_has_heir(worker->options));
}

int worker_run(const struct worker_options *options)
{
        struct app_host own = {0};
        struct worker worker = {
                .options = options,
                .config = options->config,
                .host = &own,
                .loop.epoll = -1,
                .signals = -1,
                .log_wake = USEC_NEVER,
                .drain_end = USEC_NEVER,
        };
        int code;

        trim_init();
        if (options->preloaded) {
                worker.host = options->preloaded->host;
                worker.hosting = options->preloaded->hosting;
        }
        lingers_init(&worker.lingers, &worker.loop);
        prepare_greetings(&worker);
        worker.notify = notify_open(options->notify_path);
        if (worker.notify < 0 || loop_init(&worker.loop) < 0)
                return EXIT_CODE_BUG;

        code = set_up(&worker);
        if (code == EXIT_CODE_OK)
                code = serve(&worker) < 0 ? EXIT_CODE_BUG : EXIT_CODE_OK;
        if (worker.http && http_connections(worker.http) > 0) {
                give_up(&worker);
                return code;
        }
        tear_down(&worker);
        return code;
}
