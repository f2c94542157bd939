package world_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"driftprobe/test/world"
)

func TestEveryServerOfTheZonePublishesWhatItWasGiven(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	world.Serve(t, w.Shop, "@ 30 IN A "+w.Old.String(), "* 30 IN A "+w.Old.String())
	for _, server := range w.Shop {
		for _, name := range []string{"shop.example", "api.shop.example"} {
			wantAddress(t, server.Addr, name, w.Old)
		}
	}
	w.Shop[0].Serve(t, "@ 30 IN A "+w.New.String())
	wantAddress(t, w.Shop[0].Addr, "shop.example", w.New)
	wantAddress(t, w.Shop[1].Addr, "shop.example", w.Old)
}

func TestEverySoftwareServesReloadsAndEnds(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	for name, a := range map[string]*world.Authority{"nsd": w.Shop[0], "knot": w.Shop[1], "bind": w.Shop[2], "pdns": w.Edge[1]} {
		t.Run(name, func(t *testing.T) {
			zone := "shop.example"
			if name == "pdns" {
				zone = "edge.example"
			}
			a.Serve(t, "@ 30 IN A "+w.Old.String())
			wantAddress(t, a.Addr, zone, w.Old)
			a.Serve(t, "@ 30 IN A "+w.New.String())
			wantAddress(t, a.Addr, zone, w.New)
			a.Stop(t)
			if err := ask(t, a.Addr, "tcp"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("stopped: %v, want refused", err)
			}
			a.Abandon(t)
			if _, err := world.Serial(t.Context(), a.Addr, zone); err == nil {
				t.Error("it still serves a zone that it was to forget")
			}
		})
	}
}

func TestAFarmServesOneTreeAfterAnother(t *testing.T) {
	t.Parallel()
	for _, software := range world.Authorities() {
		t.Run(software.Name, func(t *testing.T) {
			t.Parallel()
			f := world.NewFarm(t, software)
			zone := func(origin, records string) string {
				return fmt.Sprintf("$ORIGIN %s\n@ 60 IN SOA ns hostmaster 1 3600 600 86400 60\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n%s\n", origin, records)
			}
			for _, address := range []string{"192.0.2.1", "192.0.2.2"} {
				shop := world.Files{"shop.example": zone("shop.example.", "www 60 IN A "+address)}
				f.Serve(t, map[netip.Addr]world.Files{
					f.Net.Addr(1): {".": zone(".", "")},
					f.Net.Addr(3): shop,
					f.Net.Addr(4): shop,
					f.Net.Addr(5): {"bad.example": "www.bad.example. 60 IN A 192.0.2.1\n", "good.example": zone("good.example.", "")},
				}, "bad.example")
				for _, last := range []byte{3, 4} {
					wantAddress(t, f.Net.Addr(last), "www.shop.example", netip.MustParseAddr(address))
				}
				if _, err := world.Serial(t.Context(), f.Net.Addr(5), "bad.example"); err == nil {
					t.Error("a zone without SOA is served")
				}
			}
		})
	}
}

func TestResolversFollowThePrivateRootAndCountDown(t *testing.T) {
	t.Parallel()
	for i, kind := range world.Recursives() {
		t.Run(kind.Name, func(t *testing.T) {
			t.Parallel()
			w := world.Start(t)
			countsDown(t, w, kind.Start(t, w.Net.Addr(byte(11+i)), w.Root))
		})
	}
}

func countsDown(t *testing.T, w *world.World, r *world.Resolver) {
	t.Helper()
	world.Serve(t, w.Shop, "@ 3 IN A "+w.Old.String(), "www 3 IN CNAME lb.edge.example.")
	world.Serve(t, w.Edge, "lb 3 IN A "+w.New.String())
	first := r.Prime(t, "shop.example")
	if alias := r.Prime(t, "www.shop.example"); !slices.Equal(alias.Addresses, []netip.Addr{w.New}) {
		t.Errorf("www.shop.example = %v, want %v over the alias", alias.Addresses, w.New)
	}
	world.Serve(t, w.Shop, "@ 3 IN A "+w.New.String())
	err := world.Poll(t, 20*time.Second, func(ctx context.Context) error {
		now, err := world.Ask(ctx, r.Addr, "shop.example")
		if err != nil {
			return err
		}
		if slices.Equal(now.Addresses, first.Addresses) {
			return fmt.Errorf("still the old answer for %d s", now.TTL)
		}
		// BIND counts in whole seconds, so its last one can be short.
		if held := now.At.Sub(first.Asked); held <= time.Duration(first.TTL-1)*time.Second {
			t.Errorf("the old answer was held for %v, its TTL was %d s", held, first.TTL)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestABalancerPresentsACertificateThatTheCAIssued(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	b := w.Balancer(t, w.New, w.CA.Issue(t, "shop.example", "*.shop.example"))
	pem, err := os.ReadFile(w.CA.RootFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for name, fits := range map[string]bool{"shop.example": true, "api.shop.example": true, "edge.example": false} {
		conn, err := tls.Dial("tcp", b.At.String(), &tls.Config{RootCAs: roots, ServerName: name})
		if err == nil {
			conn.Close()
		}
		if (err == nil) != fits {
			t.Errorf("handshake for %s: %v, want success %v", name, err, fits)
		}
	}
}

func TestAStoppedServerRefusesAndAPausedOneIsSilent(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	nsd, knot := w.Shop[0], w.Shop[1]
	nsd.Stop(t)
	if err := ask(t, nsd.Addr, "tcp"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("stopped server: %v, want refused", err)
	}
	knot.Pause(t)
	if err := ask(t, knot.Addr, "tcp"); err != nil {
		t.Errorf("paused server: %v, want a connection that nobody serves", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := world.Ask(ctx, knot.Addr, "shop.example"); err == nil {
		t.Error("a paused server answered")
	}
	nsd.Start(t)
	err := world.Poll(t, 20*time.Second, func(ctx context.Context) error {
		_, err := world.Serial(ctx, nsd.Addr, "shop.example")
		return err
	})
	if err != nil {
		t.Errorf("started again: %v", err)
	}
}

func ask(t *testing.T, server netip.Addr, network string) error {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(t.Context(), network, netip.AddrPortFrom(server, 53).String())
	if err != nil {
		return err
	}
	return conn.Close()
}

func wantAddress(t *testing.T, server netip.Addr, name string, want netip.Addr) {
	t.Helper()
	got, err := world.Ask(t.Context(), server, name)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Addresses, []netip.Addr{want}) {
		t.Errorf("%s says %s = %v, want %v", server, name, got.Addresses, want)
	}
}

func TestABalancerTellsWhatItWasAsked(t *testing.T) {
	t.Parallel()
	w := world.Start(t)
	b := w.BalancerAt(t, netip.AddrPortFrom(netip.IPv6Loopback(), 0), w.CA.Issue(t, "six.shop.example"))
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + b.At.String() + "/health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %s", resp.Status)
	}
	err = world.Poll(t, 10*time.Second, func(context.Context) error {
		if got := b.Requests(t); !slices.Contains(got, "GET /health") {
			return fmt.Errorf("requests %q", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
