# Doors only: each opens one thing of meson.build or test/tools. Works with GNU make and BSD make.
#
#   make                 build/roomd, room and roomctl        make run ARGS='--listen ...'   build and serve
#   make test            every test                         make uninstall                 what install has put there
#   make install PREFIX=/usr/local SYSCONFDIR=/etc DESTDIR=  what make has built, and units: builds nothing
#   make asan            every test under ASan and UBSan    make fuzz FUZZ_SECONDS=20      each fuzz target
#   make siege           roomd under attack, some minutes   make siege ARGS='--only NAME'   one attack; LONG=1: hours
#   make sim SEED=7      replay one seed                    make sim SEEDS=1-1000          a range of them
#   make tidy            clang-tidy over the whole tree     make fmt, make fmt-check       clang-format
#   make bench           the standard suite against the peers, some minutes; table, JSON and page in build/bench
#   make bench-check     instructions per delivery against the baseline, and make bench-baseline to renew it
#   make deb             packages for Debian in build/deb   make dist                      the sources in build/dist
#   make macos           cross-build for both Macs          make clean                     forget every build directory

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
ARGS ?=
SEED ?=
SEEDS ?= 1-500
FUZZ_SECONDS ?= 20
TOOLS = test/tools

.PHONY: all build run test install uninstall asan sim siege fuzz tidy fmt fmt-check macos clean bench deliveries bench-check \
	bench-baseline deb dist

all: build

build:
	@$(TOOLS)/setup.sh build
	@$(TOOLS)/configure.sh build
	@ninja -C build programs

run: build
	@exec $(TOOLS)/run.sh $(ARGS)

test:
	@$(TOOLS)/setup.sh test
	@$(TOOLS)/configure.sh build --having roomd-unit --having roombench
	@ninja -C build
	@meson test -C build --no-rebuild --print-errorlogs; status=$$?; $(TOOLS)/tally.py --skipped build; exit $$status

install uninstall:
	@systemd/install.py $@ build --prefix='$(PREFIX)' --sysconfdir='$(SYSCONFDIR)' --destdir='$(DESTDIR)'

asan:
	@$(TOOLS)/setup.sh test clang
	@$(TOOLS)/configure_asan.sh
	@ninja -C build-asan
	@meson test -C build-asan --no-rebuild --print-errorlogs --timeout-multiplier 4

sim:
	@$(TOOLS)/setup.sh test
	@$(TOOLS)/configure.sh build --having roomd-sim
	@ninja -C build roomd-sim
	@seeds='$(SEED)'; exec build/roomd-sim --jobs "$$(getconf _NPROCESSORS_ONLN)" --seeds "$${seeds:-$(SEEDS)}"

siege:
	@$(TOOLS)/setup.sh build siege
	@$(TOOLS)/configure.sh build
	@ninja -C build roomd
	@exec test/siege/siege.py --build build $(ARGS)

fuzz:
	@$(TOOLS)/setup.sh check
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' $(TOOLS)/fuzz.sh

bench:
	@$(TOOLS)/setup.sh test bench
	@$(TOOLS)/configure.sh build --having roombench
	@ninja -C build roomd roombench
	@build/roombench suite --compare redis,nats,mosquitto,floor --out build/bench

deliveries:
	@$(TOOLS)/setup.sh test count
	@$(TOOLS)/configure.sh build --having roomd-deliveries
	@ninja -C build roomd-deliveries

bench-check: deliveries
	@test/cost/check.py build

bench-baseline: deliveries
	@test/cost/check.py build --renew

dist:
	@systemd/package.sh dist build

deb:
	@$(TOOLS)/setup.sh build deb
	@systemd/package.sh deb build

tidy:
	@$(TOOLS)/setup.sh check
	@$(TOOLS)/tidy.sh

fmt:
	@$(TOOLS)/format.sh -i

fmt-check:
	@$(TOOLS)/format.sh --dry-run --Werror

macos:
	@$(TOOLS)/setup.sh check
	@$(TOOLS)/macos.sh

clean:
	@rm -rf build build-*
