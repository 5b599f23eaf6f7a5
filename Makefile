# SPDX-License-Identifier: LGPL-2.1-or-later
# appsrv: one non-recursive Makefile. `make help` lists what it can do.
#
# A packager may set CC CFLAGS CPPFLAGS LDFLAGS DESTDIR prefix and the folders below; a developer also
# SAN=address,undefined (or thread), WERROR=1 and V=1. Each compiler and sanitizer has its own build/<flavour>/.

VERSION    := 0.1.0

prefix       ?= /usr
bindir       ?= $(prefix)/bin
libdir       ?= $(prefix)/lib
includedir   ?= $(prefix)/include
datadir      ?= $(prefix)/share
mandir       ?= $(datadir)/man
docdir       ?= $(datadir)/doc/appsrv
sysconfdir   ?= /etc
unitdir      ?= $(prefix)/lib/systemd/system
catalogdir   ?= $(prefix)/lib/systemd/catalog
pkgconfigdir ?= $(libdir)/pkgconfig
plugindir    := $(libdir)/appsrv
# where a script in Python finds what was packaged for it, when it is run without the server
pythondir    ?= $(if $(PYTHON),$(shell $(PYTHON_PROGRAM) -c 'import sysconfig; print(sysconfig.get_path("purelib", \
                  "deb_system" if "deb_system" in sysconfig.get_scheme_names() else "posix_prefix", {"base": "$(prefix)"}))'))

CC         ?= cc
PKG_CONFIG ?= pkg-config
CFLAGS     ?= -O2 -g
SAN        ?=
comma      := ,
empty      :=
space      := $(empty) $(empty)
CC_NAME    := $(filter-out cc gcc,$(notdir $(firstword $(CC))))
FLAVOUR    := $(or $(subst $(space),-,$(strip $(CC_NAME) $(subst $(comma),-,$(SAN)))),default)
B          := build/$(FLAVOUR)
Q          := $(if $(V),,@)
say         = $(if $(V),,@echo "  $(1)	$(2)")

WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wold-style-definition -Wundef -Wpointer-arith -Wwrite-strings -Wcast-qual -Wvla -Wformat=2 \
        -Wimplicit-fallthrough -Wswitch-enum $(if $(WERROR),-Werror)
HARD := -fstack-protector-strong -fno-common -fvisibility=hidden -fno-omit-frame-pointer
ifeq ($(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS))$(SAN),)
HARD += -D_FORTIFY_SOURCE=2
endif

LIBRARIES := libsystemd libmicrohttpd gnutls inih
DEFINES := -D_GNU_SOURCE -DAPPSRV_VERSION='"$(VERSION)"' -DAPPSRV_BINDIR='"$(bindir)"' \
           -DAPPSRV_PLUGINDIR='"$(plugindir)"' -DAPPSRV_SYSCONFDIR='"$(sysconfdir)"'
INCLUDES := -Iinclude -Iservice
ALL_CPPFLAGS := $(DEFINES) $(INCLUDES) $(CPPFLAGS) $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null)
ALL_CFLAGS   := -std=gnu17 -pthread $(WARN) $(HARD) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN))
ALL_LDFLAGS  := -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))
LIBS         := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null)

# The plug-in for Python is built where the distribution's own one can be embedded. A debug build of it counts
# references and asserts what it is given: where there is one, tests run with it, too.
PYTHON_EMBED   ?= python3-embed
PYTHON         := $(shell $(PKG_CONFIG) --modversion $(PYTHON_EMBED) 2>/dev/null)
PYTHON_PROGRAM := $(shell $(PKG_CONFIG) --variable=prefix $(PYTHON_EMBED) 2>/dev/null)/bin/python$(PYTHON)
PYTHON_CFLAGS  := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(PYTHON_EMBED) 2>/dev/null)) \
                  -DWSGI_PYTHON='"$(PYTHON_PROGRAM)"'
PYTHON_LIBS    := $(shell $(PKG_CONFIG) --libs $(PYTHON_EMBED) 2>/dev/null)
PYTHON_DEBUG   := $(shell $(PKG_CONFIG) --exists python-$(PYTHON)d-embed 2>/dev/null && echo python-$(PYTHON)d-embed)

# What is built from what.
WSGI     := $(wildcard service/wsgi/*.c)
PACKAGE  := $(wildcard service/wsgi/python/appsrv/*.py)
CORE     := $(filter-out service/main.c $(WSGI),$(wildcard service/*/*.c))
UNIT     := $(wildcard tests/unit/test_*.c)
FUZZ     := $(wildcard tests/fuzz/fuzz_*.c)
BENCH    := $(wildcard tests/bench/bench_*.c)
EXAMPLES := $(wildcard packaging/examples/*.c)
APPS     := $(wildcard tests/apps/*.c)
PROGRAMS := $(wildcard tests/apps/cgi/*.c)
TABLES   := service/config/config.def service/log/events.def service/request/access.def

obj       = $(patsubst %.c,$(B)/%.o,$(1))
BIN      := $(B)/appsrv
WELCOME  := $(patsubst packaging/examples/%.c,$(B)/%.so,$(EXAMPLES))
TESTAPPS := $(patsubst tests/apps/%.c,$(B)/tests/apps/%.so,$(APPS))
TESTCGIS := $(patsubst tests/apps/cgi/%.c,$(B)/tests/apps/cgi/%,$(PROGRAMS))
UNITS    := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(UNIT))
BENCHES  := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(BENCH))
PLUGINS  := $(if $(PYTHON),$(B)/wsgi.so $(patsubst service/wsgi/%,$(B)/%,$(PACKAGE)))
PAGES    := $(B)/appsrv.8 $(B)/appsrv.ini.5 $(B)/appsrv-journal.7
PRODUCTS := $(B)/appsrv.ini $(B)/appsrv.catalog $(B)/appsrv.service $(B)/appsrv.pc $(PAGES)

.PHONY: all help run setup check unit http package system chaos deaths wsgi-leaks bench bench-log bench-memory bench-cgi cgi-git demo-logging test-programs plugins python-debug \
        lint headers layers format format-check tidy cppcheck fuzz fuzzers deb rpm install clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

all: $(BIN) $(WELCOME) $(PLUGINS) $(PRODUCTS) ## build the server, the plug-ins, the examples, units, sample configuration, pages

help:                                   ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

# Objects depend on the exact flags: change CFLAGS and everything is built again.
FLAGS := $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(LIBS) $(PYTHON_CFLAGS) $(PYTHON_LIBS)
$(B)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' $(foreach word,$(FLAGS),'$(subst ','\'',$(word))') | cmp -s - $@ || \
	 printf '%s\n' $(foreach word,$(FLAGS),'$(subst ','\'',$(word))') > $@

$(B)/%.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(PIC) -MMD -MP -c -o $@ $<

$(call obj,service/main.c $(CORE)) $(call obj,$(UNIT)): PIC = -fPIE
$(call obj,$(EXAMPLES) $(APPS)): PIC = -fPIC
$(call obj,$(WSGI)): PIC = -fPIC $(PYTHON_CFLAGS)

# -rdynamic: applications find the public appsrv_* functions in the executable; all else is hidden.
$(BIN): $(call obj,service/main.c $(CORE))
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -rdynamic -o $@ $^ $(LIBS)

define shared_object
$(call say,SO,$@)
$(Q)$(CC) $(ALL_CFLAGS) $(filter-out -Wl$(comma)-z$(comma)defs,$(ALL_LDFLAGS)) -shared -o $@ $^
endef
$(B)/%.so: $(B)/packaging/examples/%.o
	$(shared_object)
$(B)/tests/apps/%.so: $(B)/tests/apps/%.o
	$(shared_object)

$(B)/wsgi.so: $(call obj,$(WSGI))
	$(call say,SO,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(filter-out -Wl$(comma)-z$(comma)defs,$(ALL_LDFLAGS)) -shared -o $@ $^ $(PYTHON_LIBS)
$(B)/python/%: service/wsgi/python/%
	$(Q)install -D -m 0644 $< $@

# they are run as others write them: without sanitizers
$(B)/tests/apps/cgi/%: tests/apps/cgi/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -D_GNU_SOURCE $(filter-out -fsanitize=%,$(ALL_CFLAGS) $(ALL_LDFLAGS)) -o $@ $<

define program =
$(B)/tests/$(1)/%: $(B)/tests/$(1)/%.o $(call obj,$(CORE))
	$$(call say,LINK,$$@)
	$$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -rdynamic -o $$@ $$^ $(LIBS)
endef
$(eval $(call program,unit))
$(eval $(call program,bench))

# -- generated from the tables --------------------------------------------------------------------------
$(B)/generate: packaging/generate.c service/config/comment.h $(TABLES) $(B)/flags
	$(call say,CC,$<)
	$(Q)$(CC) $(DEFINES) $(INCLUDES) -std=gnu17 $(WARN) $(CFLAGS) $(LDFLAGS) -o $@ $<

$(B)/appsrv.ini: $(B)/generate
	$(Q)$< ini > $@
$(B)/appsrv.catalog: $(B)/generate
	$(Q)$< catalog > $@
$(B)/%.table: $(B)/generate
	$(Q)$< $* > $@

SUBST = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@PREFIX@|$(prefix)|g' -e 's|@BINDIR@|$(bindir)|g' \
        -e 's|@LIBDIR@|$(libdir)|g' -e 's|@INCLUDEDIR@|$(includedir)|g' -e 's|@PLUGINDIR@|$(plugindir)|g' \
        -e 's|@SYSCONFDIR@|$(sysconfdir)|g' -e 's|@DOCDIR@|$(docdir)|g' \
        -e 's|@PYTHONDIR@|$(pythondir)|g'

$(B)/appsrv.%: packaging/man/appsrv.%.in $(B)/settings.table $(B)/flags
	$(call say,GEN,$@)
	$(Q)$(SUBST) -e '/@SETTINGS@/{r $(B)/settings.table' -e 'd}' $< > $@
$(B)/appsrv-journal.7: packaging/man/appsrv-journal.7.in $(B)/fields.table $(B)/events.table $(B)/flags
	$(call say,GEN,$@)
	$(Q)$(SUBST) -e '/@FIELDS@/{r $(B)/fields.table' -e 'd}' -e '/@EVENTS@/{r $(B)/events.table' -e 'd}' $< > $@
$(B)/appsrv.pc: packaging/appsrv.pc.in $(B)/flags
	$(Q)$(SUBST) $< > $@

# systemd 253 brought Type=notify-reload; below it the unit has to send the signal itself.
SYSTEMD_TYPE = $(if $(shell $(PKG_CONFIG) --atleast-version=253 libsystemd && echo yes),\
               -e 's/^@FROM_253@//' -e '/^@BELOW_253@/d',-e 's/^@BELOW_253@//' -e '/^@FROM_253@/d')
$(B)/appsrv.service: units/appsrv.service.in $(B)/flags
	$(Q)$(SUBST) $(SYSTEMD_TYPE) $< > $@

# -- running and testing --------------------------------------------------------------------------------
setup:                                  ## install what is missing; GROUPS="build lint test package bench bench-cgi"
	@packaging/dependencies/install $(or $(GROUPS),build)

run:                                    ## install what is missing, build, serve a sample on 127.0.0.1:8080
	@$(MAKE) --no-print-directory setup
	@$(MAKE) --no-print-directory all
	@$(BIN) serve $(B)/welcome.so

check:                                  ## install what is missing, build, run every test
	@$(MAKE) --no-print-directory setup GROUPS="build test package"
	@$(MAKE) --no-print-directory test-programs
	@$(MAKE) --no-print-directory test-programs SAN=address,undefined
	@tests/run

test-programs: all $(UNITS) $(BENCHES) $(TESTAPPS) $(TESTCGIS) $(if $(PYTHON_DEBUG),$(if $(filter default,$(FLAVOUR)),python-debug)) ## all programs that tests need

plugins: $(PLUGINS)                     ## the plug-ins alone
# Debian's headers of it are links to the usual ones: gcc must not follow them before it looks for pyconfig.h.
python-debug: $(BIN)                    ## the plug-in for a debug build of Python, and the usual server beside it
	@$(MAKE) --no-print-directory FLAVOUR=python-debug PYTHON_EMBED=$(PYTHON_DEBUG) \
	   CPPFLAGS='$(CPPFLAGS) -fno-canonical-system-headers' plugins
	@install -m 0755 $(BIN) build/python-debug/appsrv

unit: $(UNITS) $(TESTAPPS)              ## the unit tests alone, without any test runner
	@for program in $(UNITS); do $$program; case $$? in 0) echo "  PASS	$${program##*/}";; \
	   77) echo "  SKIP	$${program##*/}";; *) echo "  FAIL	$${program##*/}"; exit 1;; esac; done
http: test-programs                     ## a real server process on loopback
	@APPSRV_BUILD=$(B) tests/run http
package: test-programs                  ## the packages built and shown to their linters
	@APPSRV_BUILD=$(B) tests/run package
system: test-programs                   ## the packages in containers with real systemd and journald
	@APPSRV_BUILD=$(B) tests/run system
chaos: test-programs                    ## 100,000 requests under faults; APPSRV_CHAOS_SEED=N makes other draws than usual
	@APPSRV_BUILD=$(B) APPSRV_CHAOS_REQUESTS=$(or $(APPSRV_CHAOS_REQUESTS),100000) tests/run system -k test_chaos
deaths:                                 ## 1,000 deaths of workers leave their master as it was: under valgrind, under sanitizers, and as it is
	@$(MAKE) --no-print-directory test-programs
	@$(MAKE) --no-print-directory test-programs SAN=address,undefined
	@APPSRV_DEATHS=$(or $(APPSRV_DEATHS),1000) tests/run http -k test_degrade -rP
wsgi-leaks: test-programs               ## 100,000 requests of each of 16 kinds to an application in Python leave memory flat; SAN=address,undefined, too
	@APPSRV_BUILD=$(B) APPSRV_LEAK_REQUESTS=$(or $(APPSRV_LEAK_REQUESTS),1600000) tests/run http -k test_wsgi_leaks -rP
cgi-git: test-programs                  ## git over CGI with a repository of 200 MiB
	@APPSRV_BUILD=$(B) APPSRV_GIT_MIB=$(or $(APPSRV_GIT_MIB),200) tests/run http -k test_cgi_git
bench:                                  ## requests/s beside Gunicorn and uWSGI, of CGI beside nginx and Apache, and what a record costs
	@$(MAKE) --no-print-directory setup GROUPS="build test package"
	@$(MAKE) --no-print-directory test-programs
	@tests/bench/wsgi.py
	@$(MAKE) --no-print-directory bench-memory
	@$(MAKE) --no-print-directory bench-cgi
	@$(MAKE) --no-print-directory bench-log
bench-memory:                           ## memory of eight workers with and without preload
	@$(MAKE) --no-print-directory setup GROUPS="build test"
	@$(MAKE) --no-print-directory test-programs
	@tests/bench/memory.py
bench-cgi:                              ## requests/s and processor time of a CGI program, beside nginx with fcgiwrap and Apache with mod_cgid
	@$(MAKE) --no-print-directory setup GROUPS="build test bench-cgi"
	@$(MAKE) --no-print-directory test-programs
	@tests/bench/cgi.py
bench-log:                              ## what a record costs, and records/s into journald against sd_journal_sendv()
	@$(MAKE) --no-print-directory setup GROUPS="build test package"
	@$(MAKE) --no-print-directory test-programs
	@tests/bench/log.py
demo-logging:                           ## 60,000 records of a Flask application: how many arrive on Gunicorn, how many on appsrv
	@$(MAKE) --no-print-directory setup GROUPS="test bench"
	@tests/bench/demo_logging.py

# -- looking at the source ------------------------------------------------------------------------------
SOURCES := $(wildcard service/*.c service/*/*.[ch] include/appsrv/*.h packaging/*.c packaging/examples/*.c \
             tests/unit/*.[ch] tests/fuzz/*.c tests/bench/*.c tests/apps/*.c tests/apps/cgi/*.c)
HEADERS := $(wildcard include/appsrv/*.h service/*/*.h)

lint: headers layers format-check tidy cppcheck ## what a machine can say about the style

headers:                                ## every header compiles alone
	@for header in $(HEADERS); do $(CC) $(ALL_CPPFLAGS) $(PYTHON_CFLAGS) -std=gnu17 $(WARN) -Werror -fsyntax-only \
	   -include $$header -x c /dev/null || exit 1; done; echo "  OK	headers compile alone"

layers:                                 ## includes point downwards, foreign headers have one owner
	@tests/lint/layers

format:                                 ## clang-format in place
	clang-format -i $(SOURCES)

format-check:                           ## whether clang-format would change anything
	@clang-format --dry-run -Werror $(SOURCES) && echo "  OK	format"

tidy: $(B)/flags                        ## clang-tidy
	@echo $(wildcard service/*.c service/*/*.c) | xargs -n 1 -P 2 sh -c 'clang-tidy --quiet \
	   --warnings-as-errors="*" "$$@" -- -std=gnu17 $(filter-out -D%,$(PYTHON_CFLAGS)) $$(grep "^-[DI]" $(B)/flags | tr -d "\047") 2>&1 | \
	   { ! grep -E "(warning|error):" -A 6; }' tidy && echo "  OK	clang-tidy"

cppcheck:                               ## cppcheck
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	   --inline-suppr --suppressions-list=tests/lint/cppcheck.txt $(DEFINES) $(INCLUDES) "-DPy_RETURN_NONE=return Py_None" \
	   service packaging/examples && echo "  OK	cppcheck"

FUZZ_B     := build/clang-fuzzer-no-link-address-undefined
FUZZERS    := $(patsubst %.c,$(FUZZ_B)/%,$(FUZZ))
build/clang-fuzzer-no-link-address-undefined/tests/fuzz/%: \
  build/clang-fuzzer-no-link-address-undefined/tests/fuzz/%.o $(patsubst %.c,$(FUZZ_B)/%.o,$(CORE))
	$(call say,LINK,$@)
	$(Q)clang -fsanitize=fuzzer,address,undefined -pthread -rdynamic $(LDFLAGS) -o $@ $^ $(LIBS)

fuzzers:                                ## build the fuzzers
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined $(FUZZERS)

fuzz: $(patsubst tests/fuzz/%.c,run-%,$(FUZZ))  ## libFuzzer programs, FUZZ_SECONDS each (default 30)

run-fuzz_%: fuzzers
	@mkdir -p build/corpus/fuzz_$*; seeds=tests/fuzz/fuzz_$*; [ -d $$seeds ] || seeds=; echo "  FUZZ	$*"; \
	   $(FUZZ_B)/tests/fuzz/fuzz_$* -max_total_time=$(or $(FUZZ_SECONDS),30) -verbosity=0 \
	     -print_final_stats=0 build/corpus/fuzz_$* $$seeds

# -- shipping -------------------------------------------------------------------------------------------
install: all                            ## into $(DESTDIR)$(prefix)
	install -D -m 0755 $(BIN) $(DESTDIR)$(bindir)/appsrv
	install -D -m 0755 -t $(DESTDIR)$(plugindir) $(B)/welcome.so $(filter %.so,$(PLUGINS))
	$(if $(PLUGINS),install -D -m 0644 -t $(DESTDIR)$(pythondir)/appsrv $(filter %.py,$(PLUGINS)))
	$(if $(PLUGINS),install -d -m 0755 $(DESTDIR)$(plugindir)/python)
	$(if $(PLUGINS),ln -sfnr $(DESTDIR)$(pythondir)/appsrv $(DESTDIR)$(plugindir)/python/appsrv)
	install -D -m 0644 -t $(DESTDIR)$(includedir)/appsrv include/appsrv/*.h
	install -D -m 0644 $(B)/appsrv.pc $(DESTDIR)$(pkgconfigdir)/appsrv.pc
	install -D -m 0644 $(B)/appsrv.ini $(DESTDIR)$(sysconfdir)/appsrv/appsrv.ini
	install -d -m 0755 $(DESTDIR)$(sysconfdir)/appsrv/conf.d
	install -D -m 0644 -t $(DESTDIR)$(unitdir) $(B)/appsrv.service units/appsrv.socket \
	   units/appsrv-admin.socket units/appsrv-https.socket
	install -D -m 0644 $(B)/appsrv.catalog $(DESTDIR)$(catalogdir)/appsrv.catalog
	install -D -m 0644 $(B)/appsrv.8 $(DESTDIR)$(mandir)/man8/appsrv.8
	install -D -m 0644 $(B)/appsrv.ini.5 $(DESTDIR)$(mandir)/man5/appsrv.ini.5
	install -D -m 0644 $(B)/appsrv-journal.7 $(DESTDIR)$(mandir)/man7/appsrv-journal.7
	install -D -m 0644 -t $(DESTDIR)$(docdir)/examples units/appsrv.service.d/*.conf

deb:                                    ## the Debian packages, into build/deb/
	@$(MAKE) --no-print-directory setup GROUPS="build package"
	@packaging/build-deb
rpm:                                    ## the RPM packages, into build/rpm/
	@$(MAKE) --no-print-directory setup GROUPS="build package"
	@packaging/build-rpm

clean:                                  ## remove build/
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
