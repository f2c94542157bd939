package world

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"driftprobe/internal/lab"
)

// Delivery is a request that a Hook has taken.
type Delivery struct {
	At     time.Time
	Header http.Header
	Body   []byte
}

// Hook is a receiver of webhooks. With a key it refuses what is not signed with it: the
// signature is checked here as docs/alerting.md describes it, and not with our own code.
type Hook struct {
	URL string

	key   string
	next  http.Handler // where requests go on to; nil: nowhere
	mu    sync.Mutex
	fault lab.HTTPFault
	taken []Delivery
	wrong int
}

// StartHook answers 200 on a loopback address.
func StartHook(t testing.TB, key string) *Hook { return startHook(t, &Hook{key: key}) }

// StartRelay hands all requests on.
func StartRelay(t testing.TB, to string) *Hook {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return startHook(t, &Hook{next: httputil.NewSingleHostReverseProxy(u)})
}

func startHook(t testing.TB, h *Hook) *Hook {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	h.URL = s.URL
	return h
}

// SetFault lets f answer first.
func (h *Hook) SetFault(f lab.HTTPFault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = f
}

// Taken are the requests that were taken, in order.
func (h *Hook) Taken() []Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]Delivery(nil), h.taken...)
}

// Refused counts requests whose signature was not right.
func (h *Hook) Refused() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wrong
}

// ServeHTTP is part of http.Handler.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	fault := h.fault
	h.mu.Unlock()
	if fault == nil || !fault(w, r) {
		h.Take(w, r)
	}
}

// Take is what is done without a fault.
func (h *Hook) Take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // in memory already
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.mu.Lock()
	refused := h.key != "" && !signedBy(h.key, r.Header.Get("Driftprobe-Signature"), body)
	if refused {
		h.wrong++
	} else {
		h.taken = append(h.taken, Delivery{time.Now(), r.Header.Clone(), body})
	}
	h.mu.Unlock()
	switch {
	case refused:
		w.WriteHeader(http.StatusUnauthorized)
	case h.next != nil:
		h.next.ServeHTTP(w, r)
	}
}

// TakeAndBreak is an HTTPFault: the request is taken, and the connection breaks before the
// answer.
func (h *Hook) TakeAndBreak(_ http.ResponseWriter, r *http.Request) bool {
	h.Take(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// TakeSlowly is an HTTPFault: the request is taken, and the answer comes after a time.
func (h *Hook) TakeSlowly(w http.ResponseWriter, r *http.Request) bool {
	answer := httptest.NewRecorder()
	h.Take(answer, r)
	if lab.HTTPSlow(200*time.Millisecond)(w, r) {
		return true
	}
	return lab.HTTPStatus(answer.Code, answer.Body.String())(w, r)
}

func signedBy(key, signature string, body []byte) bool {
	at, sum, ok := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(at + "."))
	mac.Write(body)
	return ok && hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(sum))
}
