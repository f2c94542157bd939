package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A reload costs the cloud no list, unless the account is another.
func TestAReloadAsksTheCloudForNoList(t *testing.T) {
	t.Parallel()
	s := newStage(t, ttl)
	target := func(host string) string { return fmt.Sprintf("targets: [{url: %q}]", s.url(host)) }
	file := s.whole(hurried, target("first.shop.example"))
	v := s.serve("--config", file)
	v.untilReady()
	reload := func(host string) {
		t.Helper()
		s.whole(hurried, target(host))
		status, _, _ := v.ask(http.MethodPost, "/-/reload")
		equal(t, "reload", status, http.StatusOK)
		v.until("the account is looked at after the reload", func() bool {
			text := v.get("/metrics")
			return strings.Contains(text, host) && !strings.Contains(text, `driftprobe_looks_total{kind="cloud"} 0`)
		})
	}
	lists := func() int {
		n := 0
		for _, r := range s.DO.Requests.All() {
			if strings.HasPrefix(r.Header.Get("User-Agent"), "driftprobe") && r.Path == "/v2/load_balancers" {
				n++
			}
		}
		return n
	}
	reload("second.shop.example")
	reload("third.shop.example")
	equal(t, "lists", lists(), 1)
	s.file("do-token-too", s.DOToken())
	s.configuration("driftprobe.yaml", hurried, target("fourth.shop.example"), s.cluster(), strings.Replace(s.cloud(), "do-token", "do-token-too", 1))
	status, _, _ := v.ask(http.MethodPost, "/-/reload")
	equal(t, "reload", status, http.StatusOK)
	v.until("another account is asked", func() bool { return lists() == 2 })
	v.end()
}
