/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poll() over the three pipes, the end of the program and the end of its request. */
#include "app/cgi_relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

/* So long a program is given to end before anything else is looked at, when it was started and when
 * its header block was complete: most do, and then it took one wake-up and leaves in one piece. */
#define HOLD_USEC (3 * USEC_PER_MSEC)

/* So long an error may be open for an indented line that goes on with it, and a line for its end.
 */
#define SILENCE_USEC (200 * USEC_PER_MSEC)

/* Written at once: what a pipe holds. */
#define PIECE ((size_t)64 << 10)

/* What is still in the pipe when all who wrote to it were killed; who escaped may go on for ever.
 */
#define LAST_READS 32

enum { IN, OUT, ERR, CHILD, ALARM, N_FDS };

static void close_end(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

static void stop(struct cgi_relay *relay, enum cgi_end end)
{
        if (!relay->stopped)
                relay->end = end;
        relay->stopped = true;
}

static void stop_refused(struct cgi_relay *relay)
{
        stop(relay, relay->answer->fault ? CGI_REFUSED : CGI_ABANDONED);
}

static uint64_t later(uint64_t since, uint64_t usec)
{
        return usec < USEC_NEVER - since ? since + usec : USEC_NEVER;
}

static void sooner(uint64_t *time, uint64_t other)
{
        if (other < *time)
                *time = other;
}

/* -- the streams -- */

static void feed(struct cgi_relay *relay)
{
        while (relay->left > 0) {
                ssize_t n =
                        write(relay->in, relay->body, relay->left < PIECE ? relay->left : PIECE);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0)
                        break; /* it does not want to know */
                relay->body += n;
                relay->left -= (size_t)n;
                relay->moved = now_usec();
        }
        close_end(&relay->in);
}

/* Return: whether there may be more. */
static bool read_out(struct cgi_relay *relay)
{
        size_t size;
        char *room = cgi_answer_room(relay->answer, &size);
        ssize_t n = read(relay->out, room, size);

        if (n < 0)
                return errno == EINTR;
        if (n == 0) {
                close_end(&relay->out);
                cgi_answer_complete(relay->answer);
                if (relay->answer->fault)
                        stop_refused(relay);
                return false;
        }
        if (!cgi_answer_take(relay->answer, (size_t)n))
                stop_refused(relay);
        if (relay->answer->parsed) {
                relay->moved = now_usec(); /* the client may have been slow */
                if (relay->parsed == 0)
                        relay->parsed = relay->moved;
        }
        return !relay->answer->fault && !relay->answer->gone;
}

static void read_err(struct cgi_relay *relay)
{
        if (!cgi_stderr_read(relay->errors, relay->err))
                close_end(&relay->err);
        relay->heard = now_usec();
}

/* -- the times -- */

/* When the next thing is to be done although nothing happens. */
static uint64_t next_time(const struct cgi_relay *relay, uint64_t now)
{
        const struct cgi_settings *settings = relay->settings;
        uint64_t next = USEC_NEVER;

        if (now < relay->started + HOLD_USEC)
                next = relay->started + HOLD_USEC;
        if (relay->over > 0) {
                sooner(&next, later(relay->over, settings->linger));
        } else {
                if (settings->timeout > 0)
                        sooner(&next, later(relay->moved, settings->timeout));
                if (settings->deadline > 0)
                        sooner(&next, later(relay->started, settings->deadline));
        }
        if (!relay->stopped && cgi_answer_holds(relay->answer))
                sooner(&next, later(relay->parsed, HOLD_USEC));
        if (cgi_stderr_waiting(relay->errors))
                sooner(&next, later(relay->heard, SILENCE_USEC));
        return next;
}

static void check_times(struct cgi_relay *relay, uint64_t now)
{
        const struct cgi_settings *settings = relay->settings;

        if (!relay->stopped && cgi_answer_holds(relay->answer) &&
            now >= relay->parsed + HOLD_USEC && !cgi_answer_go(relay->answer))
                stop_refused(relay);
        if (cgi_stderr_waiting(relay->errors) && now >= relay->heard + SILENCE_USEC)
                cgi_stderr_flush(relay->errors);
        if (relay->over == 0 && (relay->exited || relay->out < 0))
                relay->over = now;
        if (relay->over > 0) {
                if (now >= later(relay->over, settings->linger))
                        stop(relay, CGI_LINGERED);
                return;
        }
        if (settings->timeout > 0 && now >= later(relay->moved, settings->timeout))
                stop(relay, CGI_SILENT);
        if (settings->deadline > 0 && now >= later(relay->started, settings->deadline))
                stop(relay, CGI_OVERDUE);
}

/* -- the loop -- */

/* It is told to end, or the client has its answer: it is all the same whether he is there. */
static bool is_alone(const struct cgi_relay *relay)
{
        return relay->stopped || (relay->answer->begun && relay->answer->complete);
}

/* Whether its end is likely to be next. */
static bool is_ending(const struct cgi_relay *relay, uint64_t now)
{
        if (relay->over > 0 || relay->left > 0)
                return false;
        return now < relay->started + HOLD_USEC || cgi_answer_holds(relay->answer);
}

static void wait_for_news(struct cgi_relay *relay, struct pollfd fds[static N_FDS])
{
        uint64_t now = now_usec(), next = next_time(relay, now);
        bool ending = is_ending(relay, now);
        uint64_t usec = next > now ? next - now : 0;
        const struct timespec patience = {
                .tv_sec = (time_t)(usec / USEC_PER_SEC),
                .tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC),
        };

        fds[IN] = (struct pollfd){.fd = relay->in, .events = POLLOUT};
        fds[OUT] = (struct pollfd){.fd = ending ? -1 : relay->out, .events = POLLIN};
        fds[ERR] = (struct pollfd){.fd = ending ? -1 : relay->err, .events = POLLIN};
        fds[CHILD] = (struct pollfd){.fd = relay->exited ? -1 : relay->child.fd, .events = POLLIN};
        fds[ALARM] = (struct pollfd){.fd = is_alone(relay) ? -1 : relay->alarm, .events = POLLIN};
        if (ppoll(fds, N_FDS, next == USEC_NEVER ? NULL : &patience, NULL) < 0)
                for (size_t i = 0; i < N_FDS; i++)
                        fds[i].revents = 0;
}

/* It may be meant for the request before. */
static void look_at_alarm(struct cgi_relay *relay)
{
        eventfd_t count;

        (void)eventfd_read(relay->alarm, &count);
        if (atomic_load(relay->abandoned))
                stop(relay, CGI_ABANDONED);
}

static void take_news(struct cgi_relay *relay, const struct pollfd fds[static N_FDS])
{
        if (fds[ALARM].revents)
                look_at_alarm(relay);
        if (fds[IN].revents)
                feed(relay);
        if (fds[ERR].revents)
                read_err(relay);
        if (fds[OUT].revents && !relay->stopped)
                (void)read_out(relay);
        if (fds[CHILD].revents)
                relay->exited = true;
}

static bool goes_on(const struct cgi_relay *relay)
{
        return !relay->stopped && (relay->out >= 0 || relay->err >= 0 || !relay->exited);
}

/* It is told to end, and has some time for it. */
static void terminate(struct cgi_relay *relay)
{
        struct pollfd fds[N_FDS];
        uint64_t until = later(now_usec(), relay->settings->linger);

        relay->killed = true;
        cgi_child_signal(&relay->child, SIGTERM);
        close_end(&relay->in);
        close_end(&relay->out);
        relay->over = now_usec();
        while (!relay->exited && now_usec() < until) {
                wait_for_news(relay, fds);
                take_news(relay, fds);
                if (cgi_stderr_waiting(relay->errors))
                        cgi_stderr_flush(relay->errors);
        }
}

/* All who wrote were killed; what they had written counts. */
static void read_rest(struct cgi_relay *relay)
{
        unsigned reads = 0;

        while (relay->out >= 0 && reads++ < LAST_READS && read_out(relay))
                ;
        close_end(&relay->out);
        if (relay->err >= 0)
                read_err(relay);
        close_end(&relay->err);
        close_end(&relay->in);
}

int cgi_relay_run(struct cgi_relay *relay)
{
        struct pollfd fds[N_FDS];
        int status;

        relay->started = relay->moved = relay->heard = now_usec();
        feed(relay);
        while (goes_on(relay)) {
                wait_for_news(relay, fds);
                take_news(relay, fds);
                check_times(relay, now_usec());
        }
        if (!relay->exited)
                terminate(relay);
        status = cgi_child_reap(&relay->child, relay->exited,
                                relay->settings->detach && !relay->stopped);
        read_rest(relay);
        cgi_stderr_end(relay->errors);
        return status;
}
