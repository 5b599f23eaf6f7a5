/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Load, tell the master READY, fork a worker for each order, end. One thread, beside the one that
 * reads what is printed. */
#include "template/template.h"

#include <appsrv/appsrv.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/thread.h"
#include "template/order.h"
#include "worker/birth.h"
#include "worker/notify.h"
#include "worker/process.h"
#include "worker/wear.h"

struct template
{
        const struct worker_options *options;
        int orders;
        struct app_host host;
        struct hosting hosting;
        struct capture *capture;
        int notify;
        int signals;
        uint64_t next_beat;
        bool ends;
        bool is_worker;      /* this process was forked, and has been a worker */
        struct box *own_box; /* then: its own */
        int code;            /* then: how it ends */
};

/* -- a worker -- */

/* Two pipes of its birth: the pid comes by the one; by the other the word that it may begin. */
struct cradle {
        int pid[2];
        int go[2];
};

static int open_cradle(struct cradle *cradle)
{
        if (pipe2(cradle->pid, O_CLOEXEC) < 0)
                return -errno;
        if (pipe2(cradle->go, O_CLOEXEC) == 0)
                return 0;
        (void)close(cradle->pid[0]);
        (void)close(cradle->pid[1]);
        return -errno;
}

static void close_cradle(const struct cradle *cradle)
{
        for (size_t i = 0; i < 2; i++) {
                close_descriptor(&cradle->pid[i]);
                close_descriptor(&cradle->go[i]);
        }
}

/* The child has everything of the template's: what is not the applications' goes. */
static void shed(struct template *template)
{
        own_thread_forget();
        log_abandon(template->host.log);
        template->host.log = NULL;
        capture_abandon(template->capture);
        close_descriptor(&template->notify);
        close_descriptor(&template->signals);
        close_descriptor(&template->orders);
        close_descriptor(&template->options->box->fd);
}

static int live(struct template *template, const struct order *order,
                const int fds[static ORDER_FDS])
{
        const struct preloaded preloaded = {.host = &template->host, .hosting = template->hosting};
        struct worker_options options = *template->options;
        char name[16];

        (void)snprintf(name, sizeof(name), "appsrv-w%u", order->worker_id);
        if (birth(options.master, name, fds + ORDER_PRINTS) < 0)
                return EXIT_CODE_BUG;
        for (size_t i = ORDER_PRINTS; i < ORDER_FDS; i++)
                close_descriptor(&fds[i]);
        if (box_open(&template->own_box, fds[ORDER_BOX]) < 0)
                return EXIT_CODE_BUG;
        options.box = template->own_box;
        options.box_kept = order->box_kept;
        options.slot = order->slot;
        options.n_workers = order->n_workers;
        options.printed = fds + ORDER_PRINTED;
        options.subject.worker_id = order->worker_id;
        options.preloaded = &preloaded;
        return worker_run(&options);
}

/* Until the word comes the master does not know it, and is not its parent. */
static void be_worker(struct template *template, const struct order *order,
                      const int fds[static ORDER_FDS], const struct cradle *cradle)
{
        const int go = cradle->go[0];
        char word;

        (void)close(cradle->pid[0]);
        (void)close(cradle->pid[1]);
        (void)close(cradle->go[1]);
        shed(template);
        template->is_worker = true;
        template->code = EXIT_CODE_BUG;
        if (read(go, &word, sizeof(word)) != sizeof(word))
                return;
        (void)close(go);
        template->code = live(template, order, fds);
}

/* A worker's parent is a process that ends at once, so that the master is whom the kernel gives it
 * to (PR_SET_CHILD_SUBREAPER). */
static void be_midwife(struct template *template, const struct order *order,
                       const int fds[static ORDER_FDS], const struct cradle *cradle)
{
        pid_t pid;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        pid = fork();
        if (pid == 0) {
                be_worker(template, order, fds, cradle);
                return;
        }
        if (pid < 0)
                pid = -errno;
        (void)!write(cradle->pid[1], &pid, sizeof(pid));
        _exit(EXIT_CODE_OK);
}

/* Return: the worker's pid, or a negative errno; in the worker, when it has lived, 0. */
static pid_t fork_worker(struct template *template, const struct order *order,
                         const int fds[static ORDER_FDS], struct cradle *cradle)
{
        pid_t midwife, pid;

        /* What is buffered would be printed by all. */
        (void)fflush(NULL);
        midwife = fork();
        if (midwife < 0)
                return -errno;
        if (midwife == 0) {
                be_midwife(template, order, fds, cradle);
                return 0;
        }
        (void)close(cradle->pid[1]);
        cradle->pid[1] = -1;
        while (waitpid(midwife, NULL, 0) < 0 && errno == EINTR)
                ;
        return read(cradle->pid[0], &pid, sizeof(pid)) == sizeof(pid) ? pid : -ECHILD;
}

static int tell(const struct template *template, const struct order *order, int result)
{
        return receipt_send(template->orders,
                            &(struct receipt){.serial = order->serial, .result = result});
}

/* The receipt comes before the worker can say anything. */
static int carry_out(struct template *template, const struct order *order,
                     const int fds[static ORDER_FDS])
{
        struct cradle cradle;
        pid_t pid;
        int r = open_cradle(&cradle);

        if (r < 0)
                return tell(template, order, r);
        pid = hosting_fork(&template->hosting, APPSRV_FORK_PREPARE);
        if (pid == 0) {
                pid = fork_worker(template, order, fds, &cradle);
                if (template->is_worker)
                        return 0;
                (void)hosting_fork(&template->hosting, APPSRV_FORK_PARENT);
        }
        r = tell(template, order, pid);
        if (r == 0 && pid > 0)
                (void)!write(cradle.go[1], "", 1);
        close_cradle(&cradle);
        return r;
}

static void take_order(struct template *template)
{
        struct order order;
        int fds[ORDER_FDS];
        int r = order_receive(template->orders, &order, fds);

        if (r == 1) {
                r = carry_out(template, &order, fds);
                for (size_t i = 0; !template->is_worker && i < ORDER_FDS; i++)
                        close_descriptor(&fds[i]);
        } else if (r == 0) {
                r = -EPIPE;
        }
        if (r < 0 && r != -EAGAIN)
                template->ends = true;
}

/* -- the loop -- */

static void beat(struct template *template, uint64_t now)
{
        const struct wear wear = {.reason = WEAR_NONE};
        int r;

        if (now < template->next_beat)
                return;
        r = notify_beat(template->notify, false, &wear);
        template->next_beat = notify_next_beat(r, now, template->options->config->server_watchdog);
}

static int wait_msec(const struct template *template, uint64_t now)
{
        uint64_t wake = log_wake_usec(template->host.log);

        if (template->next_beat < wake)
                wake = template->next_beat;
        return wake > now ? (int)((wake - now) / USEC_PER_MSEC) + 1 : 0;
}

/* SIGTERM ends it at once: there is nothing to finish. */
static void serve(struct template *template)
{
        struct log *log = template->host.log;

        while (!template->ends && !template->is_worker) {
                bool waits = log_ship(log) == -EAGAIN;
                struct pollfd fds[] = {
                        {.fd = template->orders, .events = POLLIN},
                        {.fd = template->signals, .events = POLLIN},
                        {.fd = log_wake_fd(log), .events = POLLIN},
                        {.fd = waits ? log_output_fd(log) : -1, .events = POLLOUT},
                };

                beat(template, now_usec());
                if (poll(fds, sizeof(fds) / sizeof(fds[0]), wait_msec(template, now_usec())) < 0)
                        continue;
                template->ends = fds[1].revents;
                if (!template->ends && fds[0].revents)
                        take_order(template);
        }
}

/* -- beginning and end -- */

/* Return: an exit_code; 0: all is loaded. */
static int set_up(struct template *template)
{
        const struct worker_options *options = template->options;

        template->signals = process_begin(&template->host, options, &template->capture);
        if (template->signals < 0)
                return EXIT_CODE_BUG;
        return hosting_preload(&template->hosting, options->config, &template->host,
                               template->notify);
}

/* Applications are not stopped: what they would undo is in use by the workers. Their threads go on
 * until the process ends. */
static void tear_down(struct template *template)
{
        capture_stop(template->capture);
        if (template->host.log)
                (void)log_finish(template->host.log, LAST_RECORDS_USEC,
                                 process_has_heir(template->options));
}

int template_run(const struct worker_options *options, int orders)
{
        /* Threads that applications began use it until the process has ended. */
        static struct template template;
        int code;

        template = (struct template){.options = options, .orders = orders, .signals = -1};
        /* Nobody but this process may scribble on its box. */
        box_set_inherited(options->box, false);
        template.notify = notify_open(options->notify_path);
        if (template.notify < 0)
                return EXIT_CODE_BUG;
        code = set_up(&template);
        if (code == EXIT_CODE_OK)
                serve(&template);
        if (template.is_worker)
                return template.code;
        tear_down(&template);
        return code;
}
