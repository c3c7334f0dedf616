#!/usr/bin/env bash
# Two clusters, by weight: story-1-weights.sh [--fast]
# shellcheck source=story.sh
. "$(dirname "$0")/story.sh"

begin 'A service runs in two clusters. Its team moves traffic by weight, and then one cluster is lost.' "$@"
name=ingress-example.example-domain.club
cluster1=39.97.196.33 cluster2=39.96.244.3
serve weights.yaml

say 'Without weights both addresses come back.'
shows "$cluster2 $cluster1" "$name"

# weigh WEIGHT WEIGHT: changes the file, and waits for the outcome of the reload.
weigh() {
  sed -i "s/^      \"@\":.*/      \"@\": {pools: {cluster1: $1, cluster2: $2}}/" "$config"
  curl -fsS -X POST -o "$folder/reload" "http://$admin/api/v1/reload" || fail 'the reload was refused'
  many 1000 "$name" >"$folder/$2"
}

say 'The team sets weights in the file of the running server, and asks 1 000 times with dig each time.'
weigh 1 1
weigh 1 3
weigh 1 99
row='  %-10s %6s %6s %6s\n'
# shellcheck disable=SC2059
{
  printf "$row" '' 1:1 1:3 1:99
  for cluster in "Cluster1 $cluster1" "Cluster2 $cluster2"; do
    printf "$row" "${cluster% *}" "$(count "${cluster#* }" "$folder/1")" \
      "$(count "${cluster#* }" "$folder/3")" "$(count "${cluster#* }" "$folder/99")"
  done
}
# Five standard deviations to each side: chance alone leaves them once in a million runs.
between 421 579 "$(count $cluster1 "$folder/1")" 'Cluster1 at 1:1'
between 182 318 "$(count $cluster1 "$folder/3")" 'Cluster1 at 1:3'
between 0 30 "$(count $cluster1 "$folder/99")" 'Cluster1 at 1:99'
for weight in 1 3 99; do
  all=$(($(count $cluster1 "$folder/$weight") + $(count $cluster2 "$folder/$weight")))
  between 1000 1000 "$all" "answers at 1:$weight"
done

say 'Cluster2 is lost, weight 99 and all: somebody says so to the API, as a health check would by itself.'
curl -fsS -X PUT -o "$folder/said" "http://$admin/api/v1/overrides/cluster2" \
  -d '{"state": "down", "expires_in": "1h", "reason": "the cluster is lost"}' || fail 'the override was refused'
follows 8 "$cluster1" "$name"
many 1000 "$name" >"$folder/lost"
echo "  Cluster1 $(count $cluster1 "$folder/lost") of 1000"
between 1000 1000 "$(count $cluster1 "$folder/lost")" 'Cluster1 alone'

say 'All as it should be.'
