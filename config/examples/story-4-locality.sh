#!/usr/bin/env bash
# Between regions by percent, and out of a failing one: story-4-locality.sh [--fast]
# shellcheck source=story.sh
. "$(dirname "$0")/story.sh"

begin 'Of what enters in cn-hangzhou 90 % stay there and 10 % go to cn-shanghai; where one fails, all go to the other.' "$@"
hangzhou=127.0.0.11 shanghai=127.0.0.12
eject=60 # seconds
http=$(free_port)
back_end hangzhou $hangzhou "$http"
back_end shanghai $shanghai "$http"
listening $hangzhou "$http"
listening $shanghai "$http"
if $fast; then
  eject=2
  serve locality.yaml -e "s/port: 8081/port: $http/" -e 's/base: 1m/base: 2s/' -e 's/timeout: 500ms/timeout: 1s/'
else
  serve locality.yaml -e "s/port: 8081/port: $http/"
fi
name=mesh.gtm.example.com

# requests: ten, each to the address that its own question got; prints who answered.
requests() {
  local turn address
  for turn in {1..10}; do
    address=$(answer "$name")
    curl -sS --resolve "$name:$http:$address" "http://$name:$http/" || echo "none (request $turn)"
  done
}

# table FILE
table() {
  printf '  %-14s %s\n' cn-hangzhou "$(count hangzhou "$1")" cn-shanghai "$(count shanghai "$1")"
}

say 'Ten requests:'
requests >"$folder/requests"
table "$folder/requests"
between 10 10 $(($(count hangzhou "$folder/requests") + $(count shanghai "$folder/requests"))) 'requests answered'
many 1000 "$name" >"$folder/both"
echo "  and of 1 000 questions: $hangzhou $(count $hangzhou "$folder/both"), $shanghai $(count $shanghai "$folder/both")"
between 852 948 "$(count $hangzhou "$folder/both")" 'Hangzhou at 90 %'

say 'The instances in Hangzhou are scaled to 0. One error within an interval takes them out.'
lose hangzhou
down=$(date +%s%N)
out() { ! burst 20 "$name" | grep -qxF "$hangzhou"; }
within 5 out || fail 'Hangzhou is still answered'
echo "  the last answer with Hangzhou came within $((($(date +%s%N) - down) / 1000000)) ms"
requests >"$folder/requests"
table "$folder/requests"
between 10 10 "$(count shanghai "$folder/requests")" 'requests answered from Shanghai'

say "They are back at once, and stay out for ${eject} s all the same, so that a flapping region does no harm."
back_end hangzhou $hangzhou "$http"
listening $hangzhou "$http"
back() { burst 20 "$name" | grep -qxF "$hangzhou"; }
while [ $((($(date +%s%N) - down) / 1000000)) -lt $((1000 * eject - 500)) ]; do
  if back; then fail 'Hangzhou is answered before its time is over'; fi
  if ! $fast; then sleep 1; fi
done
within 8 back || fail 'Hangzhou did not come back'
echo "  the first answer with Hangzhou came $((($(date +%s%N) - down) / 1000000)) ms after it was lost"

say 'The other way round: Shanghai fails, and its 10 % go to Hangzhou.'
lose shanghai
home_alone() { ! burst 200 "$name" | grep -qxF "$shanghai"; }
within 5 home_alone || fail 'Shanghai is still answered'
requests >"$folder/requests"
table "$folder/requests"
between 10 10 "$(count hangzhou "$folder/requests")" 'requests answered from Hangzhou'

say 'All as it should be.'
