// Package world runs real servers on loopback addresses, for tests that want to
// know what driftprobe makes of other people's software: nsd, knot, BIND and
// PowerDNS as authoritative servers, unbound and BIND as caching resolvers, haproxy
// as load balancers, nginx and caddy beside it where TLS is the question (WebServers),
// pebble as the certificate authority, Prometheus and Alertmanager as those that are told.
//
//	w := world.Start(t)
//	world.Serve(t, w.Shop, "@ 30 IN A "+w.Old.String()) // on every server of the zone
//	w.Balancer(t, w.New, w.CA.Issue(t, "shop.example", "*.shop.example"))
//
// The house, in a /24 of its own (127.53.N.0, see Net), DNS on port 53 and HTTPS
// on port 443 as in the world outside, so that no setting of driftprobe has to
// differ from a real one:
//
//	.1  the root                    nsd
//	.2  example                     nsd
//	.3  ns1 of shop.example         nsd
//	.4  ns2 of shop.example         knot
//	.5  ns3 of shop.example         BIND
//	.6  ns1 of edge.example         knot
//	.7  ns2 of edge.example         PowerDNS
//	.10 the caching resolver        unbound
//	.20 the old load balancer's address, and .21 the new one's
//	.50 kube-apiserver, .51 its etcd, .52 the gate to it    (StartAPIServer)
//
// Other trees are served from their zone files by a Farm, all by one software, or
// by whoever the test likes; a Recursive resolves below any root.
//
// Every server runs in the foreground, with its files in a temporary folder, is
// ready when it answers its own protocol, and is ended and waited for when the test
// ends. What it wrote is shown if the test failed. A server that
// is not installed fails the test: a look that did not happen proves nothing.
//
// The package does not know driftprobe. It needs Linux, and the rights to listen on
// port 53 and to add loopback addresses, as named listens only on those that exist.
package world
