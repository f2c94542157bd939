package test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"driftprobe/internal/lab"
)

// fault is one way to fail. It is ambiguous if the message is taken and the sender can't
// know.
type fault struct {
	name      string
	ambiguous bool
	do        lab.HTTPFault
}

// fails are ways to fail, each with its share of 200 attempts.
type fails []struct {
	share int
	fault
}

// draw picks one, or none.
func (all fails) draw(n int) fault {
	for _, f := range all {
		if n -= f.share; n < 0 {
			return f.fault
		}
	}
	return fault{}
}

// common are those that every receiver shows.
func common() fails {
	return fails{
		{8, fault{name: "429", do: lab.HTTPTooMany(time.Second, "rate_limited")}},
		{7, fault{name: "500", do: lab.HTTPStatus(http.StatusInternalServerError, "rollup_error")}},
		{6, fault{name: "503", do: lab.HTTPStatus(http.StatusServiceUnavailable, "<html>busy</html>")}},
		{8, fault{name: "reset", do: lab.HTTPReset}},
	}
}

// misbehave has each place fail about one attempt in five or more.
func (l *lane) misbehave(t *testing.T, size sizes) {
	read := func(r *http.Request) []byte {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return body
	}
	hangs := size.lanes / 10 // one takes as long as the sender waits
	l.slack.SetFault(l.failing("Slack", 0, hangs, append(fails{
		{1, fault{"half an answer", true, l.slack.Half}}, // these are what may come twice
		{6, fault{name: "200, a login page", do: lab.HTTPStatus(http.StatusOK, "<html>a login page</html>")}},
		{6, fault{name: "400 invalid_payload", do: refuseLayout(read)}},
		{6, fault{name: "a slow body", do: l.slack.Trickle}},
	}, common()...), func(r *http.Request) arrival {
		var p struct{ Text string }
		if err := json.Unmarshal(read(r), &p); err != nil {
			t.Error(err)
		}
		return slackArrival(time.Now(), p.Text)
	}))
	l.hook.SetFault(l.failing("webhook", 0, hangs, append(fails{
		{1, fault{"taken, no answer", true, l.hook.TakeAndBreak}},
		{6, fault{name: "a slow answer", do: l.hook.TakeSlowly}},
	}, common()...), func(r *http.Request) arrival {
		a, err := hookArrival(time.Now(), read(r))
		if err != nil {
			t.Error(err)
		}
		return a
	}))
	if l.relay != nil {
		// What it is told again is no other alert to it, so nothing is ambiguous. What
		// began and ended while it could not be reached is nothing to it: two in a row.
		l.relay.SetFault(l.failing("Alertmanager", 2, 0, append(fails{
			{6, fault{name: "taken, no answer", do: l.relay.TakeAndBreak}},
			{6, fault{name: "a slow answer", do: l.relay.TakeSlowly}},
		}, common()...), func(*http.Request) arrival { return arrival{} }))
	}
}

// failing draws a fault for each attempt and writes it into the ledger; at most so many in
// a row if that is not 0.
func (l *lane) failing(place string, most, hangs int, all fails, of func(*http.Request) arrival) lab.HTTPFault {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(l.rng.Uint64(), 1))
	run := 0
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		f := all.draw(rng.IntN(200))
		if f.do == nil && hangs > 0 && rng.IntN(100) == 0 {
			hangs--
			f = fault{name: "no answer", do: lab.HTTPHang}
		}
		if run++; f.do == nil || most > 0 && run > most {
			run, f = 0, fault{}
		}
		mu.Unlock()
		if f.do == nil {
			return false
		}
		l.ledger.fault(place, f.name, of(r), f.ambiguous)
		return f.do(w, r)
	}
}

// refuseLayout refuses a layout, never plain text: so does Slack.
func refuseLayout(read func(*http.Request) []byte) lab.HTTPFault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		var p struct{ Attachments []json.RawMessage }
		if json.Unmarshal(read(r), &p) == nil && len(p.Attachments) == 0 {
			return false
		}
		return lab.HTTPStatus(http.StatusBadRequest, "invalid_payload")(w, r)
	}
}
