#!/usr/bin/env bash
# By where the users are: story-2-regions.sh [--fast]
# shellcheck source=story.sh
. "$(dirname "$0")/story.sh"

begin 'Users in East China should reach cluster 1, users in North China cluster 2.' "$@"
name=www.example-domain.club
cluster1=39.97.196.33 cluster2=39.96.244.3
hangzhou=115.236.112.0/24 beijing=202.106.0.0/24
serve regions.yaml

say "The team's own name is a CNAME into the zone that steers:"
ask +noall +answer "$name" "+subnet=$hangzhou" | sed 's/^/  /'

say 'Each is asked for 1 000 times, by a resolver that says where its user is (EDNS Client Subnet).'
many 1000 "$name" "+subnet=$hangzhou" >"$folder/hangzhou"
many 1000 "$name" "+subnet=$beijing" >"$folder/beijing"
row='  %-24s %9s %9s\n'
# shellcheck disable=SC2059
{
  printf "$row" '' Cluster1 Cluster2
  for place in hangzhou beijing; do
    printf "$row" "a user in ${place^}" \
      "$(count $cluster1 "$folder/$place")" "$(count $cluster2 "$folder/$place")"
  done
}
between 1000 1000 "$(count $cluster1 "$folder/hangzhou")" 'Cluster1 for Hangzhou'
between 1000 1000 "$(count $cluster2 "$folder/beijing")" 'Cluster2 for Beijing'

say 'The answer says for which network it holds (the scope):'
scope=$(ask "$name" "+subnet=$hangzhou" | grep 'CLIENT-SUBNET')
echo "  ${scope#; }"
case $scope in
  *"/24/0"*) fail 'the scope is 0, so a resolver would give this answer to everybody' ;;
  *"115.236.112.0/24/"*) ;;
  *) fail 'the option did not come back' ;;
esac

say 'Cluster 1 goes down for maintenance: East China is served by cluster 2, its spare.'
curl -fsS -X PUT -o "$folder/said" "http://$admin/api/v1/overrides/cluster1" \
  -d '{"state": "down", "expires_in": "2h", "reason": "maintenance"}' || fail 'the override was refused'
follows 8 "$cluster2" shop.gtm.example-domain.club "+subnet=$hangzhou"
shows "$cluster2" shop.gtm.example-domain.club "+subnet=$beijing"
curl -fsS -X DELETE -o "$folder/said" "http://$admin/api/v1/overrides/cluster1" || fail 'the override stayed'
follows 8 "$cluster1" shop.gtm.example-domain.club "+subnet=$hangzhou"

say 'All as it should be.'
