#!/usr/bin/env bash
# A federated service, a lost zone, a lost region, and back: story-3-federation.sh [--fast]
# shellcheck source=story.sh
. "$(dirname "$0")/story.sh"

begin 'One service in clusters of several regions, with a name for each zone, each region, and all of them.' "$@"
http=$(free_port)
if $fast; then
  serve federation.yaml -e "s/port: 8083/port: $http/" -e 's/interval: 1s/interval: 500ms/'
else
  serve federation.yaml -e "s/port: 8083/port: $http/"
fi
prefix=nginx.mynamespace.myfederation.svc
us_a=127.0.3.11 us_b=127.0.3.12 us_f=127.0.3.13 us_east=127.0.3.22
asia_a=127.0.3.31 asia_b=127.0.3.32 europe=127.0.3.42

# in_place PLACE: the name of a zone, a region, or (without one) of all.
in_place() { echo "$prefix${1:+.$1}.example.com"; }

say 'It runs in four clusters: asia-east1-b, europe-west1-b, us-east1-b and us-central1-b.'
back_end us-central1-b $us_b "$http"
back_end us-east1-b $us_east "$http"
back_end asia-east1-b $asia_b "$http"
back_end europe-west1-b $europe "$http"
follows 15 "$us_b $us_east $asia_b $europe" "$(in_place)"

say 'Pods get ready in three more clusters, and their addresses come along.'
back_end us-central1-a $us_a "$http"
back_end us-central1-f $us_f "$http"
back_end asia-east1-a $asia_a "$http"
follows 15 "$us_a $us_b $us_f $us_east $asia_a $asia_b $europe" "$(in_place)"

say 'Nothing is healthy in europe-west1: its name is a CNAME to the next wider one.'
lose europe-west1-b
everywhere="$us_a $us_b $us_f $us_east $asia_a $asia_b"
follows 15 "$everywhere $(in_place)." "$(in_place europe-west1)"

say 'The names, by dig:'
shows "$everywhere" "$(in_place)"
shows "$us_a $us_b $us_f" "$(in_place us-central1)"
shows "$us_a" "$(in_place us-central1-a)"
shows "$us_a" "$(in_place us-central1-a.us-central1)"
shows "$asia_a $asia_b" "$(in_place asia-east1)"
shows "$everywhere $(in_place)." "$(in_place europe-west1)"

say 'The team has names of its own, and gets all in one answer:'
ask +noall +answer eu.nginx.acme.com | sed 's/^/  /'
shows "$everywhere $(in_place europe-west1). $(in_place)." eu.nginx.acme.com
ttls=$(ask +noall +answer "$(in_place europe-west1)" | awk '{print $2}' | sort -u)
[ "$ttls" = 180 ] || fail "the TTL is $ttls, expected 180"

say 'A zone is lost, us-central1-a: a client there gets the rest of its region.'
lose us-central1-a
follows 15 "$us_b $us_f $(in_place us-central1)." "$(in_place us-central1-a)"
shows "$us_b $us_f" "$(in_place us-central1)"

say 'The region is lost, us-central1: a client there gets what is left anywhere, still in one answer.'
lose us-central1-b
lose us-central1-f
anywhere="$us_east $asia_a $asia_b"
follows 15 "$anywhere $(in_place). $(in_place us-central1)." "$(in_place us-central1-a)"
shows "$anywhere $(in_place)." "$(in_place us-central1)"
ask +noall +answer "$(in_place us-central1-a)" | sed 's/^/  /'

say 'And back: first the region by another zone, then the zone itself.'
back_end us-central1-b $us_b "$http"
follows 15 "$us_b $(in_place us-central1)." "$(in_place us-central1-a)"
back_end us-central1-a $us_a "$http"
follows 15 "$us_a" "$(in_place us-central1-a)"
shows "$us_a $us_b" "$(in_place us-central1)"

say 'All as it should be.'
