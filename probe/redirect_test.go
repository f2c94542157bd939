package probe

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// notObserved wants that nothing is said of the target, and why.
func notObserved(t *testing.T, goal inventory.Target, o Observation, why string) {
	t.Helper()
	found := Judge(Policy{}, o.At, goal, inventory.Expected{}, []Observation{o})
	if len(found) != 1 || found[0].Code != finding.SelfNotObserved || !strings.Contains(found[0].Summary, why) {
		t.Errorf("%+v, want %q", found, why)
	}
}

// TestOursOnTheWay: what fails in a redirect because of us says nothing of the target.
func TestOursOnTheWay(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	at := handled(t, w, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			cancel() // we are told to stop
			<-r.Context().Done()
			return
		}
		http.Redirect(w, r, "/next", http.StatusFound)
	})
	goal := target(at)
	following()(&goal)
	o := prober(w.roots).Observe(ctx, Request{Target: goal, Address: at})
	notObserved(t, goal, o, "cut short by us")
}

// A Location of foreign text is compared in its form for the DNS, but for what is no name.
func TestNamesInALocation(t *testing.T) {
	long := strings.Repeat("b\u00fccher.", 200)
	for host, want := range map[string]string{"B\u00dcCHER.example.": "xn--bcher-kva.example", long + "example": long + "example"} {
		if got := asciiName(host); got != want {
			t.Errorf("asciiName(%.40q) = %.60q", host, got)
		}
	}
}

// TestRedirectsToUnknownAddresses: nobody could say where the other host is.
func TestRedirectsToUnknownAddresses(t *testing.T) {
	w := newWorld(t)
	at := handled(t, w, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://gone.example/", http.StatusFound)
	})
	goal := target(at)
	following("gone.example")(&goal)
	p := New(Settings{Roots: w.roots, Allow: loopback(), Lookup: func(context.Context, string) ([]netip.Addr, bool) { return nil, false }})
	o := p.Observe(t.Context(), Request{Target: goal, Address: at})
	notObserved(t, goal, o, "no name server said where gone.example is")
}

// TestRedirectsShowNoPassword that stands in a URL.
func TestRedirectsShowNoPassword(t *testing.T) {
	w := newWorld(t)
	at := handled(t, w, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/x" {
			http.Redirect(w, r, "https://u:hidden@"+r.Host+"/x", http.StatusFound)
		}
	})
	goal := target(at)
	following()(&goal)
	o := prober(w.roots).Observe(t.Context(), Request{Target: goal, Address: at})
	if o.HTTP == nil || len(o.HTTP.Hops) != 1 || strings.Contains(fmt.Sprint(o.HTTP.Hops, o.HTTP.FinalURL), "hidden") {
		t.Errorf("%+v", o.HTTP)
	}
}

// TestResolvingIsTimed where a redirect leads to another host, and nowhere else.
func TestResolvingIsTimed(t *testing.T) {
	w := newWorld(t)
	own := handled(t, w, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(rw, r, "https://gone.example/", http.StatusFound)
		case "/untold":
			http.Redirect(rw, r, "https://untold.example/", http.StatusFound)
		case "/here":
			http.Redirect(rw, r, "/end", http.StatusFound)
		}
	})
	p := New(Settings{Roots: w.roots, Allow: loopback(), Lookup: func(_ context.Context, name string) ([]netip.Addr, bool) { return nil, name != "untold.example" }})
	for path, resolves := range map[string]bool{"/away": true, "/untold": true, "/here": false, "/end": false} {
		goal := target(own)
		goal.Path = path
		following("gone.example", "untold.example")(&goal)
		took := p.Observe(t.Context(), Request{Target: goal, Address: own}).Took
		if took.Resolve > 0 != resolves || took.Resolve > took.Redirects || took.Total() < took.Connect+took.Redirects {
			t.Errorf("%s: %+v", path, took)
		}
	}
}
