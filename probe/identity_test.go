package probe

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"driftprobe/internal/inventory"
)

// TestAnErrorIsNoProofOfAnybody: where what is behind is down, the page that proves the
// identity is down with it. That is an outage, and not a thief.
func TestAnErrorIsNoProofOfAnybody(t *testing.T) {
	w := newWorld(t)
	page, header := inventory.Identity{Path: "/who", Regex: "^it is me$"}, inventory.Identity{Header: "X-Served-By", Regex: "^edge-"}
	for name, c := range map[string]struct {
		identity inventory.Identity
		status   int
		body     string
		want     []string
		says     string
	}{
		"the page is right":             {page, 200, "it is me", nil, ""},
		"the page is another":           {page, 200, "it was me", []string{"critical http/identity"}, "does not prove to be it"},
		"the page is not there":         {page, 404, "", []string{"critical http/identity"}, "does not prove to be it"},
		"the page redirects":            {page, 302, "", []string{"critical http/identity"}, "does not prove to be it"},
		"nobody is behind":              {page, 503, "", []string{"critical http/status"}, "HTTP 503, and it is not known whether it is the target"},
		"what is behind does not speak": {page, 502, "", []string{"critical http/status"}, "HTTP 502, and it is not known"},
		"we ask too often":              {page, 429, "", []string{"critical http/status"}, "HTTP 429, and it is not known"},
		"no header":                     {header, 200, "", []string{"critical http/identity"}, "does not prove to be it"},
		"no header with an error":       {header, 503, "", []string{"critical http/status"}, "HTTP 503, and it is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			at := handled(t, w, func(rw http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				rw.WriteHeader(c.status)
				_, _ = fmt.Fprint(rw, c.body)
			})
			tg := target(at)
			tg.Expect.Identity = c.identity
			o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at, Headers: http.Header{"Authorization": {"s3cret"}}})
			var got []string
			for _, f := range Judge(Policy{}, o.At, tg, inventory.Expected{}, []Observation{o}) {
				got = append(got, f.Severity.String()+" "+string(f.Code))
				if !strings.Contains(f.Summary, c.says) || unsound(f) != "" {
					t.Errorf("%+v: %s", f, unsound(f))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
			if good := len(c.want) == 0; good != o.Answers(o.At) || good != found(o.Identity) || !good && requests.Load() != 1 {
				t.Errorf("answers %v, identity %v, %d requests", o.Answers(o.At), o.Identity, requests.Load())
			}
		})
	}
}

// TestRedirectsToTheSameHostInAnotherScript: a Location holds what its author typed.
func TestRedirectsToTheSameHostInAnotherScript(t *testing.T) {
	w := newWorld(t)
	const ascii = "xn--bcher-kva.example"
	cert := presented(newLeaf(t, w.intermediate, ascii), w.intermediate)
	for _, spelt := range []string{"bücher.example", "BÜCHER.example.", "b%C3%BCcher.example", "XN--BCHER-KVA.example"} {
		var port string
		at := listen(t, tlsServer(cert, func(c *tls.Conn) {
			if r := readRequest(c); r != nil && r.URL.Path == "/" {
				_, _ = fmt.Fprintf(c, "HTTP/1.1 301 Moved\r\nLocation: https://%s:%s/next\r\nContent-Length: 0\r\n\r\n", spelt, port)
			} else if r != nil {
				_, _ = fmt.Fprint(c, okResponse)
			}
		}))
		port = fmt.Sprint(at.Port())
		tg := inventory.Target{Key: "https://" + ascii + "/", Host: ascii, Port: at.Port(), Path: "/", Redirects: inventory.Redirects{Follow: true}}
		o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at})
		if o.HTTP == nil || o.HTTP.Stopped != "" || o.HTTP.Status != 200 || len(o.HTTP.Hops) != 1 {
			t.Errorf("%s: %+v, %+v", spelt, o.Fault, o.HTTP)
		}
	}
}
