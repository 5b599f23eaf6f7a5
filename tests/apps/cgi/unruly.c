/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A CGI program that misbehaves as its PATH_INFO says. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *text)
{
        (void)!write(STDOUT_FILENO, text, strlen(text));
}

static void complain(const char *text, size_t size)
{
        (void)!write(STDERR_FILENO, text, size);
}

static void answer(void)
{
        say("Content-Type: text/plain\n\nanswer\n");
}

static void rest(long msec)
{
        const struct timespec time = {msec / 1000, msec % 1000 * 1000000};

        (void)nanosleep(&time, NULL);
}

static void stay(void)
{
        for (;;)
                (void)pause();
}

static void close_streams(void)
{
        int fd = open("/dev/null", O_RDWR);

        for (int i = 0; i < 3; i++)
                (void)dup2(fd, i);
}

/* -- what it prints -- */

static void nothing(void)
{
}

/* What it was sent. */
static void prints(void)
{
        char bytes[4096];
        ssize_t n;

        while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
                (void)!write(STDOUT_FILENO, bytes, (size_t)n);
}

static void prints_before_it_reads(void)
{
        static char bytes[1 << 20];

        answer();
        (void)!write(STDOUT_FILENO, bytes, sizeof(bytes));
        prints();
}

static void headers_only(void)
{
        say("Content-Type: text/plain\n");
}

static void endless_head(void)
{
        for (;;)
                say("X-Header: and another one, for as long as anybody reads them\n");
}

static void endless_line(void)
{
        for (;;)
                say("X-Header-that-never-ends");
}

static void endless_body(void)
{
        answer();
        for (;;)
                say("and more of it, for as long as anybody reads it\n");
}

static void junk(void)
{
        unsigned number = 1;

        for (unsigned i = 0; i < 100000; i++) {
                number = number * 1103515245 + 12345;
                (void)!write(STDOUT_FILENO, &number, sizeof(number));
        }
}

static void drip_head(void)
{
        for (;;) {
                say("X");
                rest(20);
        }
}

static void drip_body(void)
{
        answer();
        for (;;) {
                say("x");
                rest(20);
        }
}

static void nph(void)
{
        say("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nmine\n");
}

static void bare(void)
{
        say("Content-Type: text/plain\n\n");
}

static void short_length(void)
{
        say("Content-Type: text/plain\nContent-Length: 100\n\nshort\n");
}

static void short_stream(void)
{
        short_length();
        rest(50);
}

static void long_length(void)
{
        say("Content-Type: text/plain\nContent-Length: 5\n\nlonger\n");
}

static void large(void)
{
        static char block[100000];

        memset(block, 'x', sizeof(block));
        say("Content-Type: text/plain\n\n");
        for (unsigned i = 0; i < 100; i++)
                (void)!write(STDOUT_FILENO, block, sizeof(block));
}

static void redirect(void)
{
        say("Location: ");
        say(getenv("QUERY_STRING"));
        say("\n\n");
}

static void loop(void)
{
        say("Location: ");
        say(getenv("SCRIPT_NAME"));
        say("/loop\n\n");
}

/* -- how it ends -- */

static void silent(void)
{
        stay();
}

static void waits(void)
{
        while (access(getenv("QUERY_STRING"), F_OK) < 0)
                rest(10);
        answer();
}

static void pauses(void)
{
        answer();
        stay();
}

static void ignores_term(void)
{
        (void)signal(SIGTERM, SIG_IGN);
        stay();
}

static void closes_stdout(void)
{
        answer();
        (void)close(STDOUT_FILENO);
        stay();
}

static void forks(void)
{
        answer();
        if (fork() == 0)
                stay();
}

static void forks_quietly(void)
{
        answer();
        if (fork() == 0) {
                close_streams();
                stay();
        }
}

/* Five generations, none of which listens. */
static void family(void)
{
        (void)signal(SIGTERM, SIG_IGN);
        for (unsigned i = 0; i < 5 && fork() == 0; i++)
                ;
        stay();
}

static void family_streams(void)
{
        answer();
        family();
}

/* Out of the group and the session, of the parent and the environment: only its mark is left. */
static void send_away(bool quietly)
{
        char *const words[] = {(char[]){"unruly"}, (char[]){"stay"}, NULL}, *const none[] = {NULL};
        pid_t child = fork();

        if (child > 0)
                (void)waitpid(child, NULL, 0);
        if (child != 0)
                return;
        (void)setsid();
        if (fork() != 0)
                _exit(0);
        (void)signal(SIGTERM, SIG_IGN);
        if (quietly)
                close_streams();
        (void)execve("/proc/self/exe", words, none);
}

static void escapes(void)
{
        answer();
        send_away(true);
}

static void escapes_loudly(void)
{
        answer();
        send_away(false);
}

static void escapes_silently(void)
{
        send_away(true);
        stay();
}

static void leaves_group(void)
{
        pid_t child = fork();

        if (child == 0)
                stay();
        (void)setpgid(child, child);
        (void)setpgid(0, child);
        stay();
}

static void fails(void)
{
        answer();
        exit(3);
}

static void crashes(void)
{
        const struct rlimit none = {0};

        answer();
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)raise(SIGSEGV);
}

/* -- what it prints to standard error -- */

static void errors(void)
{
        complain("first\nsecond\n  goes on\nthird without end", 41);
        answer();
}

static void error_bytes(void)
{
        complain("a\0b\xff\x01 APP=forged\n", 17);
        answer();
}

static void error_flood(void)
{
        static char line[1000];

        memset(line, 'e', sizeof(line) - 1);
        line[sizeof(line) - 1] = '\n';
        for (unsigned i = 0; i < 2000; i++)
                complain(line, sizeof(line));
        answer();
}

static void error_late(void)
{
        answer();
        (void)close(STDOUT_FILENO);
        while (access(getenv("QUERY_STRING"), F_OK) < 0)
                rest(10);
        complain("late\n", 5);
}

/* -- what it is born with -- */

static void born(void)
{
        sigset_t blocked;
        struct rlimit files;
        unsigned descriptors = 0, signals = 0;
        DIR *stream = opendir("/proc/self/fd");
        const struct dirent *entry;

        while (stream && (entry = readdir(stream)))
                descriptors += entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(stream);
        (void)sigprocmask(SIG_BLOCK, NULL, &blocked);
        for (int number = 1; number < NSIG; number++) {
                struct sigaction action;

                signals += sigismember(&blocked, number) > 0;
                if (sigaction(number, NULL, &action) == 0)
                        signals += action.sa_handler != SIG_DFL;
        }
        (void)getrlimit(RLIMIT_NOFILE, &files);
        printf("Content-Type: text/plain\n\n%u %u %d %d %lu\n", descriptors, signals,
               open("/dev/tty", O_RDWR) < 0, getpgrp() == getpid(), (unsigned long)files.rlim_cur);
        (void)fflush(stdout);
}

static const struct {
        const char *name;
        void (*function)(void);
} modes[] = {
#define MODE(name)                                                                                 \
        {                                                                                          \
                "/" #name, name                                                                    \
        }
        MODE(nothing),        MODE(headers_only),   MODE(endless_head),
        MODE(endless_line),   MODE(endless_body),   MODE(junk),
        MODE(drip_head),      MODE(drip_body),      MODE(nph),
        MODE(short_length),   MODE(short_stream),   MODE(long_length),
        MODE(large),          MODE(redirect),       MODE(loop),
        MODE(silent),         MODE(ignores_term),   MODE(closes_stdout),
        MODE(forks),          MODE(forks_quietly),  MODE(family),
        MODE(family_streams), MODE(fails),          MODE(crashes),
        MODE(errors),         MODE(error_bytes),    MODE(error_flood),
        MODE(error_late),     MODE(born),           MODE(answer),
        MODE(escapes),        MODE(escapes_loudly), MODE(escapes_silently),
        MODE(leaves_group),   MODE(waits),          MODE(bare),
        MODE(pauses),         MODE(prints),         MODE(prints_before_it_reads),
};

int main(int argc, char *argv[])
{
        const char *mode = getenv("PATH_INFO");

        if (argc > 1 && strcmp(argv[1], "stay") == 0)
                stay();
        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                if (mode && strcmp(mode, modes[i].name) == 0) {
                        modes[i].function();
                        return 0;
                }
        say("Status: 404 Not Found\nContent-Type: text/plain\n\nno such mode\n");
        return 0;
}
