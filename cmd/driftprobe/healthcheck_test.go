package main

import (
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"driftprobe/internal/lab"
	"driftprobe/internal/metrics"
)

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer((&server{log: slog.New(slog.DiscardHandler), metrics: metrics.New("", ""), page: &page{}, demand: newDemand(), reload: make(chan chan error)}).routes())
	t.Cleanup(server.Close)
	elsewhere := freeNet(t).Addr(1) // on 127.0.0.1 another test may be given the port meanwhile
	port, err := lab.FreePort(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	nobody := netip.AddrPortFrom(elsewhere, port).String()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{server.URL + "/-/healthy"}, exitClean, "driftprobe is running\n"},
		{[]string{server.URL + "/-/ready"}, exitFound, "503 Service Unavailable"},
		{[]string{"http://" + nobody + "/-/healthy"}, exitFound, "refused"},
		{[]string{"127.0.0.1:9798"}, exitUsage, "is no http URL"},
		{[]string{"a", "b"}, exitUsage, "one URL at most"},
	} {
		var out, complaints strings.Builder
		code := run(t.Context(), process{stdout: &out, stderr: &complaints}, append([]string{"healthcheck"}, c.args...))
		if said := out.String() + complaints.String(); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%v: exit %d, %q; want %d, %q", c.args, code, said, c.code, c.says)
		}
	}
}
