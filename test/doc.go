// Package test holds the tests of driftprobe on real servers: the program, built
// once, is run as a person runs it, and looks at nsd, knot, BIND, PowerDNS, unbound,
// haproxy, nginx, caddy and pebble (see package world). The table of handshakes
// (internal/lab/handshakes) is presented by the three that end TLS, and so is that of HTTP
// (internal/lab/exchanges), alone or in front of the lab. The table of situations
// (internal/lab/situation) is run by them too: from zone files on each authoritative
// software, and from the lab through real resolvers, whose clients must not see what
// contradicts our verdict. The tests named cluster_*.go run it beside a real kube-apiserver
// and etcd (test/apiserver/build.sh makes them), with the rights that
// deploy/manifests/driftprobe.yaml grants. A real Prometheus scrapes it (monitoring_test.go): the rules
// and the dashboard of deploy/chart/files must see the outage. It is a module of its own so that its dependencies never
// reach users.
//
//	.ci/run            installs what is needed and runs everything
//	cd test && go test ./...
package test
