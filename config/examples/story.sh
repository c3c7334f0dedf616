# shellcheck shell=bash
# What the stories share: a server and back ends that end with the script, questions, and what must be true.
# Needs bash, dig, curl, python3 and gtmdns (of this checkout, or on the PATH, or named by GTMDNS=...).
# PATIENCE: seconds in which the server has to start. Everything stays on the loopback interface of this machine.

set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
pids=()           # of all that was started
declare -A ends   # name of a back end -> its process
fast=false

finish() {
  local status=$?
  trap - EXIT
  if [ "${#pids[@]}" -gt 0 ]; then
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n%s\n' "$@"; }

fail() {
  printf 'WRONG: %s\n' "$*" >&2
  exit 1
}

# begin "what the story tells" "$@": reads the options.
begin() {
  local about=$1 program
  shift
  case ${1-} in
    --fast) fast=true ;;
    '') ;;
    *) echo "usage: ${0##*/} [--fast]" >&2; exit 2 ;;
  esac
  for program in dig curl python3; do
    command -v "$program" >/dev/null || fail "$program is not installed"
  done
  GTMDNS=${GTMDNS:-$here/../../.venv/bin/gtmdns}
  [ -x "$GTMDNS" ] || GTMDNS=$(command -v gtmdns) || fail "no gtmdns: run make, or set GTMDNS=..."
  printf '%s\n' "$about"
}

# Below the ports that the kernel gives to clients: a dig that happens to get the server's own would ask itself.
free_port() {
  local port
  while port=$((20000 + RANDOM % 12000)); ! can_listen 127.0.0.1 "$port"; do :; done
  echo "$port"
}

# can_listen ADDRESS PORT: nobody else does, and we may.
can_listen() {
  python3 -c 'import socket, sys; socket.create_server((sys.argv[1], int(sys.argv[2])))' "$@" 2>"$folder/taken"
}

# serve FILE [SED WORDS ...]: serves a copy of an example, changed by sed where that is wanted.
serve() {
  config=$folder/gtmdns.yaml
  sed "${@:2}" -e '' "$here/$1" >"$config"
  port=$(free_port)
  admin=127.0.0.1:$(free_port)
  "$GTMDNS" serve "$config" --listen "127.0.0.1:$port" --admin "$admin" --workers 1 \
    >"$folder/log" 2>&1 &
  pids+=($!)
  within "${PATIENCE:-60}" ready || { cat "$folder/log" >&2; fail 'the server did not start'; }
  echo "gtmdns serves $1 on 127.0.0.1, port $port"
}

ready() { curl -fso "$folder/ready" "http://$admin/readyz"; }

# back_end NAME ADDRESS PORT: a web server that answers with its name.
back_end() {
  mkdir -p "$folder/$1"
  echo "$1" >"$folder/$1/index.html"
  python3 -m http.server "$3" --bind "$2" --directory "$folder/$1" >"$folder/$1.log" 2>&1 &
  ends[$1]=$!
  pids+=($!)
}

listens() { curl -so "$folder/listens" "http://$1:$2/"; }

# listening ADDRESS PORT: waits for a back end.
listening() { within 10 listens "$@" || fail "nothing listens on $1, port $2"; }

lose() {
  kill -9 "${ends[$1]}"
  wait "${ends[$1]}" 2>/dev/null || true
}

# within SECONDS COMMAND ...: waits until the command succeeds. False where the time is over.
within() {
  local end=$((SECONDS + $1 + 1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

ask() { dig @127.0.0.1 -p "$port" "$@"; }

# answer NAME [WORDS ...]: the data of the answer section, sorted, on one line.
answer() { ask +short "$@" | sort | paste -sd ' '; }

# line WORDS DATA [WORDS]: on two lines where they are long.
line() {
  if [ $((${#1} + ${#2})) -lt 90 ]; then
    printf '  %-58s %s %s\n' "$1" "$2" "${3-}"
  else
    printf '  %s %s\n      %s\n' "$1" "${3-}" "$2"
  fi
}

is() { [ "$(answer "${@:2}")" = "$1" ]; }

# follows SECONDS DATA NAME [WORDS ...]: the answers become so in time.
follows() {
  local began now
  began=$(date +%s%N)
  within "$1" is "${@:2}" || fail "after $1 s ${*:3} is still $(answer "${@:3}"), expected $2"
  now=$(date +%s%N)
  line "${*:3}" "$2" "(after $(((now - began) / 1000000)) ms)"
}

# shows DATA NAME [WORDS ...]: the answer is so now.
shows() {
  local got
  got=$(answer "${@:2}")
  line "${*:2}" "$got"
  [ "$got" = "$1" ] || fail "${*:2} is $got, expected $1"
}

# many TIMES NAME [WORDS ...]: one dig after the other; prints the last datum of each answer.
many() {
  local turn
  if $fast; then
    burst "$@"
    return
  fi
  for ((turn = 0; turn < $1; turn++)); do ask +short "${@:2}" | tail -n 1; done
}

# burst TIMES NAME [WORDS ...]: the same by one dig, which asks each question from a port of its own.
# What dig gives up (a line that begins with ";;") is asked again.
burst() {
  local left=$1 try
  : >"$folder/answers"
  for try in 1 2 3; do
    yes "$2" 2>"$folder/yes" | head -n "$left" >"$folder/names" || true
    ask +short "${@:3}" -f "$folder/names" | grep -v '^;\|\.$' >>"$folder/answers" || true
    left=$(($1 - $(wc -l <"$folder/answers")))
    [ "$left" -gt 0 ] || break
  done
  [ "$left" -eq 0 ] || echo "no answer to $left of $1 questions, try $try" >&2
  cat "$folder/answers"
}

count() { grep -cxF "$1" "$2" || true; } # LINE FILE

# between LOW HIGH NUMBER WHAT
between() {
  if [ "$3" -lt "$1" ] || [ "$3" -gt "$2" ]; then fail "$4: $3, expected $1 to $2"; fi
}
