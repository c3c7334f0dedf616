#!/usr/bin/env bash
# A regional outage that clears itself: story-5-outage.sh [--fast]
# shellcheck source=story.sh
. "$(dirname "$0")/story.sh"

begin 'A service is published from two regions, one load balancer each, both addresses in one record set.' "$@"
region1=127.0.0.21 region2=127.0.0.22 port1=80 port2=801
if ! can_listen $region1 $port1 || ! can_listen $region2 $port2; then
  port1=$(free_port) port2=$(free_port)
  echo "The ports 80 and 801 are not to be had: $port1 and $port2 stand in for them."
fi
changes=(-e "s/port: 80,/port: $port1,/" -e "s/port: 80\$/port: $port1/" -e "s/port: 801,/port: $port2,/")
if $fast; then
  changes+=(-e 's/interval: 2s/interval: 1s/')
fi
back_end region1 $region1 "$port1"
back_end region2 $region2 "$port2"
listening $region1 "$port1"
listening $region2 "$port2"
serve outage.yaml "${changes[@]}"
name=app.gtm.example.com

# visit: opens the page at every address that the name has; prints address, status, who answered.
visit() {
  local address at status
  for address in $(answer "$name"); do
    at=$port1
    [ "$address" = $region1 ] || at=$port2
    status=$(curl -so "$folder/page" -w '%{http_code}' --resolve "$name:$at:$address" "http://$name:$at/" || true)
    printf '  %s:%s %s %s\n' "$address" "$at" "$status" "$(cat "$folder/page")"
    [ "$status" = 200 ] || fail "curl on $name says $status at $address"
  done
}

say 'All is well:'
shows "$region1 $region2" "$name"
visit

say 'The cluster of region 1 is put to sleep. Nobody opens a console:'
lose region1
follows 8 "$region2" "$name"
visit
shows "$region2" all.gtm.example.com
shows "$region2" first.gtm.example.com

say 'Region 2 is lost too: every address is answered, as a broken probe must not empty a name; "strict" says SERVFAIL.'
lose region2
servfails() { ask strict.gtm.example.com | grep -q 'status: SERVFAIL'; }
within 8 servfails || fail 'strict.gtm.example.com is no SERVFAIL'
follows 8 "$region1 $region2" "$name"

say 'Both regions wake up:'
back_end region1 $region1 "$port1"
back_end region2 $region2 "$port2"
listening $region1 "$port1"
listening $region2 "$port2"
up() { curl -s "http://$admin/metrics" | grep -c '^gtmdns_endpoint_up{.*} 1.0$' | grep -qx 4; }
within 8 up || fail 'they are not seen'
follows 8 "$region1 $region2" "$name"
visit

say 'All as it should be.'
