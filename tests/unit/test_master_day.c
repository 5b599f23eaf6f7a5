/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A day of supervision in virtual time: workers die, hang, leave and cannot start, reloads good and
 * bad, signals, load; what must hold is looked at after each event. */
#include "test_master_virtual.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Nothing takes longer than its limit by more than the grace after SIGABRT, and the time to die. */
#define SLACK_USEC  (USEC_PER_SEC / 2)
#define BACKOFF_MAX (10 * USEC_PER_SEC)

enum weather {
        GOOD,
        FLAKY,   /* one start in five fails, in one way or another */
        OUTAGE,  /* no worker becomes ready */
        SICK,    /* each dies as soon as it is ready */
        NO_FORK, /* the process table is full */
        WEATHERS
};

struct happening {
        uint64_t mean_usec;
        void (*happen)(void);
        uint64_t next;
};

static struct {
        uint64_t random;
        struct generation_owner owner;
        struct generation *generations, *serving, *coming;
        struct scaling scaling;
        unsigned last_number;
        bool coming_bad;
        enum weather weather;
        uint64_t weather_since;
        unsigned long spawned_before; /* the weather */
        unsigned reloads_since;
        double demand;                           /* threads */
        enum worker_state states[PROCESSES_MAX]; /* of each process, since: */
        pid_t pids[PROCESSES_MAX];
        uint64_t since[PROCESSES_MAX];
        unsigned reloads, refused, checks;
} world;

static struct listeners no_listeners;
static struct oom no_oom;

static double draw(void)
{
        world.random ^= world.random << 13;
        world.random ^= world.random >> 7;
        world.random ^= world.random << 17;
        return (double)(world.random >> 11) / (double)(UINT64_C(1) << 53);
}

static uint64_t draw_usec(uint64_t from, uint64_t to)
{
        return from + (uint64_t)(draw() * (double)(to - from));
}

/* -- how a new process behaves -- */

static void fail_to_start(struct process *process)
{
        double way = draw();

        process->ready_usec = NEVER;
        if (way < 0.1) /* it hangs while it loads */
                return;
        process->death_usec = virtual.now + draw_usec(1000, 3 * USEC_PER_SEC);
        process->signal = way < 0.3 ? SIGSEGV : 0;
        process->code = way < 0.6 ? EXIT_CODE_BUG : EXIT_CODE_CONFIG;
}

static bool begin_process(struct process *process, unsigned generation)
{
        bool bad = world.coming && generation == world.coming->number && world.coming_bad;

        process->ready_usec = virtual.now + draw_usec(50000, 4 * USEC_PER_SEC);
        process->stopping_usec = process->beat_usec = process->death_usec = NEVER;
        process->beats = draw_usec(USEC_PER_SEC, 5 * USEC_PER_SEC);
        process->drain_usec = draw() < 0.9 ? draw_usec(0, 5 * USEC_PER_SEC) : draw_usec(0, MINUTE);
        process->takes_abort = draw() < 0.7;
        if (bad || world.weather == OUTAGE || (world.weather == FLAKY && draw() < 0.2))
                fail_to_start(process);
        else if (world.weather == SICK)
                end_process(process, process->ready_usec - virtual.now + draw_usec(0, 900000),
                            SIGSEGV);
        return world.weather != NO_FORK;
}

/* -- the master, as far as generations go -- */

static void on_generation_ready(void *data, struct generation *generation)
{
        struct generation *older = world.serving;

        (void)data;
        assert(generation == world.coming || !older);
        assert(generation_serving(generation) == generation->scale.wanted);
        world.coming = NULL;
        world.serving = generation;
        if (older)
                generation_stop(older);
}

static void on_generation_failed(void *data, struct generation *generation,
                                 enum generation_verdict verdict, const struct child *last)
{
        (void)data;
        (void)last;
        assert(verdict == VERDICT_REFUSE && generation == world.coming);
        world.coming = NULL;
        world.refused++;
        generation_stop(generation);
}

static void begin_generation(uint32_t workers)
{
        const struct config_source nothing = {0};
        struct problems problems = {0};
        struct setup setup = {0};
        struct generation *generation;

        assert(config_load(&setup.config, &nothing, &problems) == 0);
        setup.config->server_workers = workers;
        assert(generation_new(&generation, &world.owner, ++world.last_number, &setup) == 0);
        generation->older_serves = world.serving != NULL;
        if (world.serving)
                generation_succeed(generation, world.serving);
        generation->next = world.generations;
        world.generations = generation;
        world.coming = generation;
        generation_fill(generation);
}

static void bury_generations(void)
{
        struct generation **link = &world.generations;

        while (*link) {
                struct generation *generation = *link;

                if (generation->phase != GENERATION_DRAINING ||
                    generation_processes(generation) > 0) {
                        link = &generation->next;
                        continue;
                }
                *link = generation->next;
                if (generation == world.serving)
                        world.serving = NULL;
                generation_free(generation);
        }
}

/* -- what must hold -- */

static uint64_t limit_of(const struct child *child)
{
        const struct config *config = child->config;
        uint64_t end = SLACK_USEC + 2 * ABORT_GRACE_USEC;

        switch (child->state) {
        case WORKER_STARTING:
                return config->server_start_timeout + SLACK_USEC;
        case WORKER_DRAINING:
                return config->server_graceful_timeout + DRAIN_MARGIN_USEC + SLACK_USEC;
        case WORKER_ABORTED:
                return end;
        case WORKER_READY:
        case WORKER_EMPTY:
        case WORKER_STATES_MAX:
                break;
        }
        return NEVER;
}

/* It is a process that lives, its master knows it does, and it is in no state for too long. */
static void check_child(const struct child *child)
{
        const struct process *process = find_process(child->subject.worker_pid);
        size_t i = (size_t)(process - virtual.processes);

        assert(process && process->deaths_told == 0);
        if (world.pids[i] != process->pid || world.states[i] != child->state) {
                world.pids[i] = process->pid;
                world.states[i] = child->state;
                world.since[i] = virtual.now;
        }
        assert(virtual.now - world.since[i] <= limit_of(child) || limit_of(child) == NEVER);
        if (child->state == WORKER_READY)
                assert(virtual.now - process->last_beat <=
                       child->config->server_watchdog + SLACK_USEC);
}

static void check_numbers(const struct generation *generation)
{
        const struct scale *scale = &generation->scale;
        unsigned living = generation_living(generation);
        unsigned processes = generation_processes(generation), unwanted = 0, late = 0;
        unsigned seen[64] = {0};

        for (size_t i = 0; i < generation->n_children; i++) {
                const struct child *child = &generation->children[i];

                if (child->state == WORKER_EMPTY)
                        continue;
                check_child(child);
                unwanted += !child_lives(child) && !child->retired;
                late += child->state == WORKER_ABORTED && child->ready_usec == 0;
                if (child_lives(child))
                        assert(++seen[child->subject.worker_id] == 1);
        }
        assert(scale->wanted >= scale->bounds.min && scale->wanted <= scale->bounds.max);
        assert(processes <= 2 * scale->bounds.max);
        if (generation->phase == GENERATION_DRAINING) {
                assert(living == 0);
                return;
        }
        /* Those that hang or left by themselves come on top. */
        assert(living <= scale->wanted && processes - unwanted <= scale->bounds.max + 1);
        /* What is missing is being started, or will be; one that was not ready in time, when it is
         * dead. */
        if (living < scale->wanted)
                assert(generation->retry || late > 0 ||
                       processes == (unsigned)generation->n_children);
        if (generation->retry)
                assert(generation->retry->when - virtual.now <= BACKOFF_MAX);
}

static void check(void)
{
        unsigned known = 0, alive = 0;

        for (const struct generation *generation = world.generations; generation;
             generation = generation->next) {
                check_numbers(generation);
                known += generation_processes(generation);
        }
        for (size_t i = 0; i < PROCESSES_MAX; i++)
                alive += virtual.processes[i].pid != 0;
        assert(known == alive && virtual.spawned == virtual.buried + alive);
        world.checks++;
}

static unsigned serving(void)
{
        return world.serving ? generation_serving(world.serving) : 0;
}

/* Nothing that the master does by itself takes a worker from those who need it. */
static void check_serving(unsigned before)
{
        unsigned after = serving();

        if (world.serving && world.serving->phase == GENERATION_SERVING)
                assert(after >= before || after >= world.serving->scale.wanted);
}

/* -- what happens -- */

static struct process *any_ready(void)
{
        for (int tries = 0; tries < 1000; tries++) {
                struct process
                        *process = &virtual.processes[(size_t)(draw() * (double)PROCESSES_MAX)];

                if (process->pid && process->ready && process->deaths_told == 0)
                        return process;
        }
        return NULL;
}

static void one_dies(void)
{
        struct process *process = any_ready();

        if (process)
                end_process(process, 0, SIGSEGV);
}

static void all_die(void)
{
        for (size_t i = 0; i < PROCESSES_MAX; i++)
                if (virtual.processes[i].pid)
                        end_process(&virtual.processes[i], draw_usec(0, USEC_PER_SEC), SIGKILL);
}

static void one_hangs(void)
{
        struct process *process = any_ready();

        if (process)
                process->beat_usec = NEVER;
}

static void one_leaves(void)
{
        struct process *process = any_ready();

        if (process)
                process->stopping_usec = virtual.now;
}

static void signals_come(void)
{
        for (int times = (int)(draw() * 16); times >= 0; times--) {
                int number = draw() < 0.5 ? SIGTTIN : SIGTTOU;
                unsigned before = serving();

                assert(virtual.on_signal[number](NULL, NULL, virtual.signal_data) == 0);
                check_serving(before);
                check();
        }
}

static void a_reload_comes(void)
{
        static const uint32_t workers[] = {3, 1, 2 | 4 << 16, 1 | 8 << 16, 4 | 5 << 16};

        unsigned before = serving();

        if (world.coming)
                return;
        world.coming_bad = draw() < 0.3;
        world.reloads++;
        world.reloads_since++;
        begin_generation(workers[(size_t)(draw() * 5)]);
        check_serving(before);
}

static void the_weather_changes(void)
{
        unsigned long spawned = virtual.spawned - world.spawned_before;
        uint64_t tries =
                (virtual.now - world.weather_since) / BACKOFF_MAX + 12 + world.reloads_since;

        /* Whatever fails, it is not tried more often than the back-off allows. */
        if (world.weather == OUTAGE || world.weather == NO_FORK)
                assert(spawned <= tries * 8);
        world.weather = draw() < 0.6 ? GOOD : (enum weather)(1 + draw() * (WEATHERS - 1));
        world.weather_since = virtual.now;
        world.spawned_before = virtual.spawned;
        world.reloads_since = 0;
}

static void the_load_changes(void)
{
        world.demand = draw() < 0.3 ? 0 : draw() * 40;
}

static struct happening happenings[] = {
        {.mean_usec = 2 * MINUTE, .happen = one_dies},
        {.mean_usec = 7 * MINUTE, .happen = one_hangs},
        {.mean_usec = 9 * MINUTE, .happen = one_leaves},
        {.mean_usec = 3 * HOUR, .happen = all_die},
        {.mean_usec = 11 * MINUTE, .happen = signals_come},
        {.mean_usec = 21 * MINUTE, .happen = a_reload_comes},
        {.mean_usec = 13 * MINUTE, .happen = the_weather_changes},
        {.mean_usec = 4 * MINUTE, .happen = the_load_changes},
};

#define N_HAPPENINGS (sizeof(happenings) / sizeof(happenings[0]))

/* What the board says of the load, spread over those that serve. */
static void publish_load(void)
{
        unsigned n = serving();

        for (size_t i = 0; n > 0 && i < world.serving->n_children; i++) {
                struct board_slot *slot = board_slot(world.serving->board, (unsigned)i);
                unsigned threads = world.serving->setup.config->server_threads;
                unsigned share = (unsigned)(world.demand / n + draw());

                atomic_store(&slot->busy, share < threads ? share : threads);
                atomic_store(&slot->queued, share < threads ? 0 : share - threads);
        }
}

/* -- time -- */

static void run_timer(sd_event_source *source)
{
        unsigned before = serving();
        bool own = source->on_time == on_look || source->on_time == on_retry;

        if (source->on_time == on_look)
                publish_load();
        source->enabled = false;
        assert(source->on_time(source, source->when, source->data) >= 0);
        if (own)
                check_serving(before);
}

static void run_happening(struct happening *happening)
{
        happening->next = virtual.now + draw_usec(0, 2 * happening->mean_usec);
        happening->happen();
}

static struct happening *next_happening(void)
{
        struct happening *first = &happenings[0];

        for (size_t i = 1; i < N_HAPPENINGS; i++)
                if (happenings[i].next < first->next)
                        first = &happenings[i];
        return first;
}

static void live_until(uint64_t end)
{
        for (;;) {
                struct happening *happening = next_happening();
                struct process *process;
                uint64_t when;
                sd_event_source *timer = next_event(&process, &when);

                if (happening->next < when)
                        when = happening->next;
                else
                        happening = NULL;
                if (when > end)
                        break;
                virtual.now = when;
                if (happening)
                        run_happening(happening);
                else if (timer)
                        run_timer(timer);
                else
                        act(process, world.generations);
                check();
                bury_generations();
        }
        virtual.now = end;
}

static void nothing_happens(void)
{
        for (size_t i = 0; i < N_HAPPENINGS; i++)
                happenings[i].next = NEVER;
        world.weather = GOOD;
}

static void begin_day(uint64_t seed)
{
        memset(&virtual, 0, sizeof(virtual));
        memset(&world, 0, sizeof(world));
        virtual.now = HOUR;
        virtual.begin = begin_process;
        world.random = seed;
        world.owner = (struct generation_owner){.ready = on_generation_ready,
                                                .failed = on_generation_failed};
        world.owner.host.listeners = &no_listeners;
        world.owner.host.oom = &no_oom;
        assert(scaling_begin(&world.scaling, NULL, &world.serving, NULL) == 0);
        nothing_happens();
        begin_generation(2 | 6 << 16);
        live_until(HOUR + MINUTE);
        assert(world.serving && !world.coming);
        for (size_t i = 0; i < N_HAPPENINGS; i++)
                happenings[i].next = virtual.now + draw_usec(0, happenings[i].mean_usec);
}

/* Peace: all recover alone. Then the service stops. */
static void end_day(void)
{
        nothing_happens();
        live_until(virtual.now + 10 * MINUTE);
        assert(!world.coming && !world.generations->next);
        assert(generation_serving(world.serving) == world.serving->scale.wanted);
        assert(generation_processes(world.serving) == world.serving->scale.wanted);
        generation_stop(world.serving);
        live_until(virtual.now + 10 * MINUTE);
        assert(!world.generations && virtual.spawned == virtual.buried);
        for (size_t i = 0; i < SOURCES_MAX; i++)
                assert(!virtual.sources[i].used || virtual.sources[i].on_time == on_look);
}

static void test_a_day(uint64_t seed)
{
        begin_day(seed);
        live_until(virtual.now + DAY);
        end_day();
        /* Enough has happened. */
        assert(virtual.buried > 500 && world.reloads > 40 && world.refused > 10);
        assert(virtual.events[EVENT_WORKER_HUNG] > 50 && virtual.events[EVENT_SCALED] > 50);
        assert(virtual.events[EVENT_WORKER_BACKOFF] > 50 && world.checks > 100000);
        assert(virtual.events[EVENT_DRAIN_TIMEOUT] > 5 &&
               virtual.events[EVENT_WORKER_RETIRED] > 20);
        assert(virtual.refused_abort > 20);
}

int main(void)
{
        for (uint64_t seed = 1; seed <= 3; seed++)
                test_a_day(seed * UINT64_C(0x9e3779b97f4a7c15));
        return 0;
}
