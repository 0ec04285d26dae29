# shellcheck shell=sh
# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The stages of "./run test", read in by run. A stage is a function stage_NAME, run by itself in a copy of the clone, its
# output in .cache/logs/NAME.log. It passes or fails; with not_run it says what of it this machine cannot do.
# Two run at once, in this order: the longest first, but for the linters.

set -eu

lint_stages='ansible-lint yamllint ruff mypy shellcheck changelog'
quick_stages="$lint_stages units integration-quick"
all_stages="guest $lint_stages integration molecule units-python3.9 integration-2.14 dnf debian13 units sanity examples-2.16 demo-interrupted demo faults soak fuzz report docs artefact"

: "${here:?}" "${cache:?}"  # run's

# The collection as ansible-test wants it: in a folder of its name, which may be no symlink. Each stage has a copy of it.
collections=${stage_collections:-$cache/collections}
tree=$collections/ansible_collections/wirespeed/trafficgen
logs=$cache/logs

# not_run WHAT: a line for the summary. skip WHAT: the same, and the stage ends here, neither passed nor failed.
not_run() {
    echo "NOT RUN: $stage: $*" | tee -a "$logs/not-run"
}

skip() {
    not_run "$@"
    exit 77
}

# --- The tools ---

# real_python VERSION: the path of a Python that runs and can make a venv. Not a version manager's shim: ansible-test trips on those.
real_python() {
    (
        IFS=:
        # shellcheck disable=SC2086  # the folders of PATH, then pyenv's
        for folder in $PATH $pyenv_folders; do
            if [ -x "$folder/python$1" ] &&
                "$folder/python$1" -c 'import ensurepip, sys, venv; print(sys.executable)' 2>/dev/null; then
                exit 0
            fi
        done
        exit 1
    )
}

newest_python() {
    for version in 3.13 3.12 3.11; do
        if real_python "$version"; then return 0; fi
    done
    return 1
}

# make_venv NAME PYTHON REQUIREMENTS: made anew only when one of the three has changed.
make_venv() {
    venv_key="$2 $(cksum <"$3")"
    if [ "$(cat "$cache/$1/key" 2>/dev/null)" = "$venv_key" ]; then return 0; fi
    echo "Making .cache/$1 with $("$2" --version)"
    rm -rf "${cache:?}/$1"
    "$2" -m venv "$cache/$1"
    quietly "$cache/$1/bin/python" -m pip install -q --disable-pip-version-check -r "$3"
    echo "$venv_key" >"$cache/$1/key"
}

# Everything the stages run with: programs, Pythons, and a copy of the clone.
prepare() {
    mkdir -p "$cache" "$logs"
    pyenv_folders=$(printf '%s:' "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin)

    if [ "$(id -u)" = 0 ]; then need_network_tools; fi
    need git git git
    need shellcheck shellcheck ShellCheck
    need tshark tshark wireshark-cli
    need tar tar tar
    if command -v apt-get >/dev/null; then need mmdebstrap mmdebstrap mmdebstrap; fi
    case " $stages " in *' report '*) if [ "$(id -u)" = 0 ]; then need chromium chromium chromium; fi ;; esac
    case " $stages " in *' guest '*) if [ "$(id -u)" = 0 ]; then need_lab_tools; fi ;; esac
    if ! newest_python >/dev/null; then need_package python3-venv python3.12; fi
    install_missing

    newest=$(newest_python) || fail "no Python of 3.11 to 3.13 that can make a venv."
    # ansible-core 2.14 knows Python 3.9 to 3.11.
    oldest=$(real_python 3.11 || real_python 3.10 || real_python 3.9) || oldest=''
    python39=$(real_python 3.9) || python39=''
    make_venv dev "$newest" "$here/tests/requirements-dev.txt" &
    venv_pids=$!
    if [ -n "$oldest" ]; then make_venv oldest "$oldest" "$here/tests/requirements-oldest.txt" & venv_pids="$venv_pids $!"; fi
    if [ -n "$python39" ]; then make_venv python3.9 "$python39" "$here/tests/requirements-python39.txt" & venv_pids="$venv_pids $!"; fi
    # ansible-core 2.16: EL 10's Python first.
    case " $stages " in
        *' examples-2.16 '*)
            if el10=$(real_python 3.12 || real_python 3.11 || real_python 3.10); then
                make_venv el10 "$el10" "$here/tests/requirements-el10.txt" & venv_pids="$venv_pids $!"
            fi
            ;;
    esac
    # ansible-core 2.20 and later.
    case " $stages " in
        *' artefact '*)
            if newer=$(real_python 3.13 || real_python 3.12); then
                make_venv newest "$newer" "$here/tests/requirements-newest.txt" & venv_pids="$venv_pids $!"
            fi
            ;;
    esac
    case " $stages " in *' docs '*) make_venv sphinx "$newest" "$here/tests/requirements-docs.txt" & venv_pids="$venv_pids $!" ;; esac
    for pid in $venv_pids; do wait "$pid"; done

    # The venv's programs first; then the real Pythons, for ansible-test's compile and import; no shims.
    python_folders=''
    for version in 3.8 3.9 3.10 3.11 3.12 3.13; do
        if found=$(real_python "$version"); then python_folders=$python_folders:${found%/*}; fi
    done
    plain_path=$(echo "$PATH" | tr : '\n' | grep -v /shims | tr '\n' :)
    tool_path=$python_folders:${plain_path%:}
    tool_path=${tool_path#:}

    # The tools keep caches, and molecule its state, in the home folder: not in the user's.
    for pip_conf in "$HOME/.config/pip/pip.conf" "$HOME/.pip/pip.conf"; do
        if [ -z "${PIP_CONFIG_FILE:-}" ] && [ -e "$pip_conf" ]; then export PIP_CONFIG_FILE="$pip_conf"; fi
    done
    mkdir -p "$cache/home"
    export HOME="$cache/home"
    unset XDG_CACHE_HOME XDG_CONFIG_HOME ANSIBLE_CONFIG ANSIBLE_HOME ANSIBLE_COLLECTIONS_PATHS GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
    export ANSIBLE_COLLECTIONS_PATH="$collections"
    export PYTHONDONTWRITEBYTECODE=1
    use_venv dev
    prepare_get_pip
    copy_clone
    own_network=no
    if [ "$(id -u)" = 0 ] && in_own_network /tmp true 2>/dev/null; then own_network=yes; fi
    export oldest python39 tool_path own_network
}

# in_own_network FOLDER COMMAND…: with network namespaces that go with it, whatever ends it, and FOLDER as its /tmp. A clone that lies below
# /tmp stays where it is.
in_own_network() {
    # shellcheck disable=SC2016  # it is the inner shell's
    clone=$here unshare --mount --net sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/netns /run/lock && mount -t sysfs sysfs /sys &&
        case $clone in
            /tmp/*) mkdir -p "$0${clone#/tmp}" && mount --bind "$clone" "$0${clone#/tmp}" ;;
        esac && mount --rbind "$0" /tmp && ip link set lo up && exec "$@"' "$@"
}

use_venv() {
    PATH=$cache/$1/bin:$tool_path
    export PATH
}

# ansible-test fetches a script to put pip into the venvs of its sanity tests, from a server of Ansible's own. Python brings
# all that is needed for it; so a stand-in lies where the script would be cached. PyPI is then the only server asked.
prepare_get_pip() {
    get_pip=$(python - <<'EOF'
from ansible_test._internal.host_configs import NativePythonConfig
from ansible_test._internal.python_requirements import get_venv_packages
print(get_venv_packages(NativePythonConfig(version="3.11"))["pip"].replace(".", "_"))
EOF
    )
    mkdir -p "$HOME/.ansible/test/cache"
    cat >"$HOME/.ansible/test/cache/get_pip_$get_pip.py" <<'EOF'
import runpy
import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip"], check=True)  # its own process: it clears pip's settings
names = [argument for argument in sys.argv[1:] if not argument.startswith("--no-")]
sys.argv = ["pip", "install", "--upgrade", *names]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
EOF
}

# The tracked files and the new ones. A repository of its own keeps ansible-test from looking into the clone's, which ignores .cache.
copy_clone() {
    # Git mistrusts a clone of another user's, as a CI's may be.
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
    rm -rf "$collections"
    mkdir -p "$tree"
    (cd "$here" && git ls-files -z -co --exclude-standard | tar --null -T - --ignore-failed-read -cf - 2>/dev/null) | tar -xf - -C "$tree"
    git -C "$tree" init -q
}

need_namespaces() {
    [ "$(id -u)" = 0 ] || skip "network namespaces need root"
    [ "$own_network" = yes ] || skip "this machine allows no namespaces of networks and mounts"
}

# What is tested with it is the roles; mitogen only makes that take a fraction of the time.
use_mitogen() {
    export TRAFFICGEN_STRATEGY=mitogen_linear
    TRAFFICGEN_STRATEGY_PLUGINS=$(python -c 'import ansible_mitogen; print(ansible_mitogen.__path__[0])')/plugins/strategy
    export TRAFFICGEN_STRATEGY_PLUGINS
}

need_oldest() {
    [ -n "$oldest" ] || skip "ansible-core 2.14 needs a Python of 3.9 to 3.11, and there is none with venv"
    use_venv oldest
}

# --- The stages ---

stage_ansible_lint() { ansible-lint --offline --nocolor -q; }

stage_yamllint() { yamllint --strict .; }

stage_ruff() {
    ruff check .
    ruff format --check .
    # As galaxy-importer calls it; it reads no settings of ours.
    flake8 --isolated --extend-ignore E402 --select E,F,W --max-line-length 160 plugins
}

stage_mypy() {
    # From above, so that a module has one name only: its full one.
    cd "$collections"
    mypy --config-file "$tree/pyproject.toml" "${tree#"$collections/"}/plugins"
}

stage_shellcheck() { shellcheck -x run tests/stages.sh tests/lab/setup.sh extensions/molecule/guest/files/*.sh tests/dnf/*.sh tests/debian/run.sh tests/sources/tcpreplay/configure .ci/run; }

stage_changelog() {
    antsibull-changelog lint
    # The release notes are no page of ansible-doc's: they show such a mark as it stands.
    if grep -rnE '\b[BCIOPV]\(' changelogs/; then fail "the changelog writes names as \`\`name\`\`"; fi
}

stage_sanity() {
    # Some of its tests run in venvs that it makes here, from PyPI.
    ansible-test sanity --color no
    sed -n 's/.*WARNING: Skipping \(.*could not be found\).*/\1/p' "$logs/$stage.log" | sort -u |
        while read -r what; do not_run "$what"; done
}

# ansible-test starts a process for each of these tests, which is half the time; it does so in units-python3.9.
stage_units() { PYTHONPATH=$collections python -m pytest -q -p no:cacheprovider -n 2 --dist worksteal tests/unit; }

stage_units_python3_9() {
    [ -n "$python39" ] || skip "no Python 3.9 here"
    PATH=$cache/dev/bin:$cache/python3.9/bin:$tool_path
    # What is drawn at random and what things cost do not depend on the version, and the controller has none as old as this.
    find tests/unit/plugins/module_utils tests/unit/plugins/modules -name 'test_*.py' ! -name '*properties.py' ! -name 'test_cost.py' \
        -exec ansible-test units --color no --target-python 3.9 {} +
}

# fuzz_targets FOLDER SECONDS [TARGET…]: each target of tests/fuzz for so long.
fuzz_targets() {
    python -c 'import atheris' 2>/dev/null || skip "atheris has no wheel for $(python --version) on $(uname -m)"
    PYTHONPATH=$collections python tests/fuzz/fuzz.py "$@"
}

# A look only, the same each time: from the seeds on, with the same random numbers.
stage_fuzz() { FUZZ_SEED=1 fuzz_targets "$cache/fuzz/short" 5; }

# The HTML reports in a browser. The pages, screenshots and PDFs stay in .cache/report to be looked at.
stage_report() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || skip "chromium, which shows the reports, is missing"
    rm -rf "$cache/report"
    python tests/fixtures/throughput/make.py "$cache/report/made-up"
    for made in "$cache"/report/made-up/*.json; do cmp "$made" "tests/fixtures/throughput/${made##*/}"; done
    PYTHONPATH=$collections timeout 400 python tests/report/browser.py "$cache/report"
}

# docs_site FOLDER: the guides and the pages of all plugins and roles, as one site. A link that leads nowhere is an error.
docs_site() {
    use_venv sphinx
    antsibull-docs lint-collection-docs --plugin-docs .
    rm -rf "$cache/docs"
    mkdir -p "$cache/docs/source/reference"
    chmod og-w "$cache/docs/source/reference"
    git ls-files -co --exclude-standard docs/ examples playbooks plugins roles/*/README.md README.md CHANGELOG.md \
        SUPPORT.md SECURITY.md CODE_OF_CONDUCT.md COPYING galaxy.yml |
        tar -T - -cf - | tar -xf - -C "$cache/docs/source"
    mv "$cache/docs/source/docs/docsite/conf.py" "$cache/docs/source/docs/docsite/index.md" "$cache/docs/source/"
    # ansible-doc finds no role if a clone lies below another ansible_collections.
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    cp -a "$collections/ansible_collections" "$copy"
    ANSIBLE_COLLECTIONS_PATH=$copy antsibull-docs collection --use-current --fail-on-error --squash-hierarchy \
        --dest-dir "$cache/docs/source/reference" wirespeed.trafficgen
    sphinx-build -q -W --keep-going -b html "$cache/docs/source" "$1"
}

stage_docs() { docs_site "$cache/docs/site"; }

stage_artefact() {
    ansible-galaxy collection build --output-path "$cache/artefact" --force
    artefact=$(ls "$cache"/artefact/wirespeed-trafficgen-*.tar.gz)

    # What a user needs, all of it, and nothing else.
    git ls-files -co --exclude-standard |
        grep -E '^(meta|plugins|roles|playbooks|docs)/|^((README|CHANGELOG|CODE_OF_CONDUCT|SECURITY|SUPPORT)\.md|COPYING|\.ansible-lint|changelogs/changelog.yaml)$' \
            >expected-files
    printf '%s\n' MANIFEST.json FILES.json >>expected-files
    tar -tzf "$artefact" | grep -v '/$' | sort >artefact-files
    sort expected-files | diff - artefact-files

    # What Galaxy and Automation Hub do with an upload, with the checks that they leave to a certification: they have no word to say.
    export GALAXY_IMPORTER_CONFIG="$cache/artefact/importer.cfg"
    printf '%s\n' '[galaxy-importer]' RUN_ANSIBLE_DOC=True RUN_FLAKE8=True CHECK_REQUIRED_TAGS=True OFFLINE_ANSIBLE_LINT=True >"$GALAXY_IMPORTER_CONFIG"
    (cd "$cache/artefact" && python -m galaxy_importer.main "$artefact") >importer-said 2>&1 || { cat importer-said && exit 1; }
    if grep -vE '^(Importing with|Getting doc strings|Finding content|Loading|Linting|\.\.\.ansible-lint run complete|Collection loading complete|Importer processing completed successfully)' \
        importer-said; then fail "galaxy-importer complains"; fi

    # It works as installed, and with nothing but the four folders that Ansible knows.
    export ANSIBLE_COLLECTIONS_PATH="$cache/installed"
    rm -rf "$cache/installed"
    ansible-galaxy collection install "$artefact" -p "$cache/installed" --offline
    # An execution environment is made of it, and takes up what the controller needs.
    printf 'version: 3\ndependencies: {galaxy: {collections: [{name: %s, type: file}]}}\n' "$artefact" >execution-environment.yml
    ansible-builder create --file execution-environment.yml --context "$cache/artefact/context"
    ansible-builder introspect "$cache/installed" | grep jmespath
    find "$cache/installed/ansible_collections/wirespeed/trafficgen" -mindepth 1 -maxdepth 1 \
        ! -name meta ! -name plugins ! -name roles ! -name playbooks -exec rm -rf {} +
    cd "$cache/installed"
    ansible-doc -t module -l wirespeed.trafficgen
    ansible-playbook --syntax-check wirespeed.trafficgen.demo
    ansible-playbook "$tree/tests/use_artefact.yml"

    # What the documentation prints runs as it stands, with the newest ansible-core and its warnings as errors.
    if [ ! -x "$cache/newest/bin/python" ]; then not_run "the newest ansible-core, with which the examples run, needs Python 3.12" && return; fi
    if [ "$own_network" != yes ]; then not_run "the examples need root and namespaces of networks and mounts" && return; fi
    run_examples newest "$cache/examples"
}

# EL 10's ansible-core: each module and filter, a throughput test, and the lines of a run's progress.
stage_examples_2_16() {
    need_namespaces
    [ -x "$cache/el10/bin/python" ] || skip "ansible-core 2.16 needs a Python of 3.10 to 3.12, and there is none with venv"
    run_examples el10 "$cache/$stage" --quick
}

# run_examples VENV FOLDER [OPTION]: what the documentation prints, with that Ansible. No process of this machine is seen: one that sends
# would be in the way.
run_examples() {
    use_venv "$1"
    ansible-playbook --version | head -n 1
    rm -rf "$2"
    mkdir "$2"
    # A shell takes in what ends in the background.
    # shellcheck disable=SC2016  # it is the inner shell's
    timeout -k 10 900 unshare --pid --fork --kill-child --mount-proc sh -c '"$@"; exit "$?"' sh python "$tree/tests/examples/run.py" ${3:+"$3"} "$2"
}

# integration TARGET…: those of tests/integration/targets.
integration() {
    need_namespaces
    timeout 1500 ansible-test integration --color no --allow-destructive --allow-root --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$@"
}

stage_integration() { integration; }

# What Ansible's version can change: the targets whose aliases have "compat". Each module and each filter is in one of them.
stage_integration_2_14() {
    need_oldest
    integration compat/
}

# For ./run test quick: each module is run all the same, but none to wait for the lines that Ansible shows meanwhile.
stage_integration_quick() {
    need_oldest
    integration compat/ --exclude tcpreplay_progress
}

stage_dnf() {
    need_namespaces
    command -v mmdebstrap >/dev/null || skip "mmdebstrap, which makes the Rocky-shaped root of Debian's packages, is missing"
    exec timeout 2400 sh tests/dnf/run.sh "$cache/dnf"
}

# Debian 13: its own Ansible, Python, tcpreplay, Scapy, and headers of its kernel. Debian 12 is this machine's, or the guest's.
stage_debian13() {
    need_namespaces
    command -v mmdebstrap >/dev/null || skip "mmdebstrap, which makes a root of Debian 13, is missing"
    exec timeout 2400 sh tests/debian/run.sh "$cache/debian13" trixie
}

stage_molecule() {
    need_namespaces
    NO_COLOR=1 timeout 900 molecule test --scenario-name default
    use_mitogen
    NO_COLOR=1 timeout 900 molecule test --scenario-name throughput
}

# Each fault once; by hand, and many times: tests/faults/faults.py --runs 20 FOLDER
stage_faults() {
    need_namespaces
    exec timeout 600 python tests/faults/faults.py "$cache/faults"
}

# The image is made once and kept.
stage_guest() {
    for program in qemu-system-x86_64 qemu-img mmdebstrap mke2fs ssh; do
        command -v "$program" >/dev/null || skip "$program, for guests in QEMU, is missing"
    done
    [ "$(id -u)" = 0 ] || skip "the guest's image is made by root"
    export TRAFFICGEN_LAB_CACHE="$cache/lab"
    use_mitogen
    NO_COLOR=1 timeout 2400 molecule test --scenario-name guest
}

# Shorter and slower than a user's: what it shows is checked, not how fast this machine is. With the oldest Ansible, where it can be had;
# that the demo runs with the newest, and ends, is seen in demo-interrupted.
stage_demo() {
    need_namespaces
    if [ -n "$oldest" ]; then use_venv oldest; fi
    ansible-playbook --version | head -n 1
    timeout 300 ./run demo "$cache/$stage" -e demo_seconds=2 -e demo_l1_mbps=10
    # These send nothing, and show no table of before.
    for command in demo test lint bench docs fuzz soak lab; do ./run help "$command" | grep -qF "./run $command"; done
    for only in --check --syntax-check --list-tasks; do
        ./run demo "$cache/$stage" "$only" >"$cache/$stage/said"
        if grep 'results.json$' "$cache/$stage/said"; then fail "$only showed the table of the run before"; fi
    done
    "$cache/dev/bin/python" tests/check_demo.py "$cache/$stage" 10
}

stage_demo_interrupted() {
    need_namespaces
    python tests/interrupt_demo.py "$cache/$stage"
}

# What ./run soak does, with smaller figures.
stage_soak() {
    need_namespaces
    unshare --mount --pid --fork --mount-proc true || skip "this machine allows no namespaces of mounts and processes"
    timeout 200 python tests/soak/soak.py --short --json "$cache/soak.json"
    timeout 200 python tests/soak/interrupt.py
}

# --- Running them ---

# "./run stage NAME" is this: the stage in a process of its own.
one_stage() {
    stage=$1
    export ANSIBLE_COLLECTIONS_PATH="$collections"
    cd "$tree"
    "stage_$(echo "$stage" | tr .- __)"
}

run_stage() {
    stage=$1
    started=$(date +%s)
    export stage_collections="$cache/trees/$stage"
    rm -rf "$stage_collections" "${cache:?}/tmp/$stage"
    mkdir -p "$cache/trees" "$cache/tmp/$stage"
    cp -a "$collections" "$stage_collections"
    set -- sh "$here/run" stage "$stage"
    case $stage in
        units* | integration* | molecule | faults | demo* | soak | artefact | examples*)
            if [ "$own_network" = yes ]; then set -- sh "$here/run" own-network "$cache/tmp/$stage" "$@"; fi
            ;;
    esac
    # A shell starts what runs in its background with SIGINT ignored; a stage may want to interrupt something.
    env -u TMPDIR --default-signal=INT setsid "$@" >"$logs/$stage.log" 2>&1 </dev/null &
    stage_pid=$!
    stage_status=0
    wait "$stage_pid" || stage_status=$?
    stage_pid=''
    rm -rf "$stage_collections" "${cache:?}/tmp/$stage"
    case $stage_status in
        0) verdict=ok ;;
        77) verdict='not run' ;;
        *) verdict=FAILED ;;
    esac
    seconds=$(($(date +%s) - started))
    echo "$verdict" >"$logs/$stage.verdict"
    echo "$seconds $stage" >>"$logs/seconds"
    said=$(printf '%-20s%-8s %5d s' "$stage" "$verdict" "$seconds")
    if [ "$verdict" = FAILED ]; then
        # Without what pip says of its downloads.
        said="$said
--- the end of .cache/logs/$stage.log ---
$(grep -vE '^ *(Collecting|Downloading|Installing (collected|requirements)|Successfully installed|Looking in|Processing|Using cached|━) ?' \
            "$logs/$stage.log" | tail -n 80)
---"
    fi
    echo "$said"
}

# lane: one stage after the other, as long as there is one that the other lane has not begun.
lane() {
    stage_pid=''
    trap 'if [ -n "$stage_pid" ]; then pkill -TERM -s "$stage_pid"; wait "$stage_pid"; fi; exit 143' TERM
    for name in $stages; do
        if mkdir "$logs/begun/$name" 2>/dev/null; then run_stage "$name"; fi
    done
}

run_all() {
    rm -rf "$logs/begun"
    mkdir "$logs/begun"
    lane &
    lanes=$!
    lane &
    lanes="$lanes $!"
    for pid in $lanes; do wait "$pid"; done
    lanes=''
}

end_lanes() {
    # shellcheck disable=SC2086  # a list of numbers
    if [ -n "$lanes" ]; then kill -TERM $lanes && wait; fi
    if [ -e "$cache/lab/guests/molecule" ]; then TRAFFICGEN_LAB_CACHE=$cache/lab python3 "$here/tests/lab/lab.py" down molecule; fi
}

run_stages() {
    stages=''
    for name in "${@:-all}"; do
        case $name in
            all) stages="$stages $all_stages" ;;
            lint) stages="$stages $lint_stages" ;;
            quick) stages="$stages $quick_stages" ;;
            help)
                echo "Stages: lint quick $all_stages" | fmt -w 100
                return 0
                ;;
            *)
                case " $all_stages $quick_stages " in
                    *" $name "*) stages="$stages $name" ;;
                    *) fail "no such stage: $name. There are: lint quick $all_stages" ;;
                esac
                ;;
        esac
    done

    begin=$(date +%s)
    lanes=''
    trap end_lanes EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    prepare
    rm -f "$logs"/*.verdict "$logs/seconds"
    : >"$logs/not-run"
    run_all
    passed=$(grep -lx ok "$logs"/*.verdict | grep -c .) || true  # grep's word for none is a status
    failed=$(grep -lx FAILED "$logs"/*.verdict | grep -c .) || true
    # Two run at once, so the shares are those of the stages' times, not of the whole's.
    sort -rn "$logs/seconds" | awk '
        { sum += $1; seconds[NR] = $1; name[NR] = $2 }
        END { for (n = 1; n <= NR; n++) printf "%5d s %5.1f %%  %s%s\n", seconds[n], 100 * seconds[n] / (sum ? sum : 1), name[n], n == 1 ? ", the longest" : "" }'
    echo "In all $(($(date +%s) - begin)) s, the logs are in .cache/logs/"
    cat "$logs/not-run"
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

fuzz_for() {
    stages=fuzz
    prepare
    stage=fuzz
    (cd "$tree" && fuzz_targets "$cache/fuzz/long" "$@")
}

docs_for() {
    stages=docs
    prepare
    case ${1:-} in '') site=$cache/docs/site ;; /*) site=$1 ;; *) site=$PWD/$1 ;; esac
    (cd "$tree" && docs_site "$site")
    echo "The site: $site/index.html"
}

bench_stage() {
    stages=bench
    prepare
    [ $# -gt 0 ] || set -- "$here"/benchmarks/*.py
    for name in "$@"; do
        name=${name##*/}
        echo "== ${name%.py}"
        (cd "$here" && PYTHONPATH=$collections python "benchmarks/${name%.py}.py")
    done
}

# It replaces this shell, so that it is the one to be interrupted.
soak_stage() {
    case " $* " in *' --help '* | *' -h '*) exec python3 "$here/tests/soak/soak.py" "$@" ;; esac
    need_root "the soak makes network namespaces"
    stages=soak
    prepare
    exec python "$here/tests/soak/soak.py" "$@"
}
