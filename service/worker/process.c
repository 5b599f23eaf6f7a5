/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One step after the other; the first that fails ends the process. */
#include "worker/process.h"

#include <unistd.h>

#include "worker/crash.h"
#include "worker/descriptors.h"
#include "worker/signals.h"
#include "worker/stacks.h"

/* Slow readers must not hold all threads: half of them, so none when there is but one. */
static struct stream_terms stream_terms(const struct config *config)
{
        return (struct stream_terms){
                .waiters_max = (unsigned)config->server_threads / 2,
                .spool_max = config->http_response_spool,
                .patience_usec = config->http_response_patience,
        };
}

static void describe(struct app_host *host, const struct worker_options *options)
{
        host->subject = options->subject;
        host->subject.worker_pid = getpid();
        host->workers = options->n_workers;
        host->threads = options->config->server_threads;
        host->stream_terms = stream_terms(options->config);
}

static int open_log(struct app_host *host, const struct worker_options *options)
{
        const struct config *config = options->config;
        const struct log_options log_options = {
                .target = options->log_target,
                .console = options->console,
                .level = (int)config->log_level,
                .buffer_size = config->log_buffer,
                .memory = options->box->log,
                .access_namespace = config->log_access_namespace,
                .subject = host->subject,
                .block_usec = config->log_overflow.block_usec,
        };

        return log_open(&host->log, &log_options);
}

static int start_capture(struct capture **ret, const struct app_host *host,
                         const struct worker_options *options)
{
        const struct config *config = options->config;
        struct output output = {
                .memory = options->box->output,
                .log = host->log,
                .subject = host->subject,
        };

        output_begin(&output, config->n_apps == 1 ? config->apps[0].name : NULL);
        return capture_start(ret, &output, options->printed);
}

int process_begin(struct app_host *host, const struct worker_options *options,
                  struct capture **ret_capture)
{
        int signals, r;

        describe(host, options);
        descriptors_raise_limit(options->config);
        signals = signals_take();
        r = signals < 0 ? signals : crash_watch(options->box);
        if (r == 0)
                r = open_log(host, options);
        if (r == 0)
                r = start_capture(ret_capture, host, options);
        if (r == 0)
                r = host->stack_fd = stacks_open();
        return r < 0 ? r : signals;
}

bool process_has_heir(const struct worker_options *options)
{
        return options->box_kept || getppid() == options->master;
}
