// Package test holds the tests of driftprobe on real servers: the program, built
// once, is run as a person runs it, and looks at nsd, knot, unbound, haproxy and
// pebble (see package world). It is a module of its own so that its dependencies
// never reach users.
//
//	.ci/run            installs what is needed and runs everything
//	cd test && go test ./...
package test
