// Package lab is a small faulty world on the loopback network. It speaks wire
// protocols only (DNS, TLS, HTTP) and knows nothing of the program that looks
// at it: it holds no opinion on what is healthy, and judges nothing.
//
// The parts, each usable alone, each safe to change while it runs, each with a
// log of what it was asked, so that a test can say what was and was not sent:
//
//   - Net: a /24 of 127.0.0.0/8, and ports that are free on several addresses
//   - Zone: an immutable DNS zone from zone-file text, with the lookup of
//     RFC 1034 §4.3.2 (wildcards, CNAME, DNAME, delegations, negative answers)
//   - DNSServer: serves zones over UDP and TCP, stops and starts, misbehaves by
//     a Fault (Silent, Refuse, Lame, WrongID, Garbage, …)
//   - DNSTree: a root, top-level domains and zones wired by delegations and glue
//   - Resolver: a caching recursive resolver whose cache can be aged by Advance
//   - CA, CertSpec: certificates made to order, with every fault a chain can have
//   - Balancer: a TLS and HTTP load balancer with certificates by SNI
//   - WebServer: answers page by page, as it stands in a Site, or passes requests on
//   - DigitalOcean: the parts of its API that name load balancers and records
//   - Kubernetes: an API server with discovery, list, watch and faults
//   - CloudController: gives Services of type LoadBalancer their balancers
//   - Slack: an incoming webhook that checks what it is sent
//   - World: all of it, composed as one outage: a load balancer is replaced and
//     the DNS records still name the old one
//
// Every HTTP part takes an HTTPFault. Every part is closed with Close, which
// waits for the goroutines it started.
//
// Linux answers on all of 127.0.0.0/8 without further ado. Where the system
// does not (macOS), a bind error names the command that adds the address.
package lab
