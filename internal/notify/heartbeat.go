package notify

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Heartbeat tells a dead man's switch (a service that alerts when it hears nothing) that
// the watch goes on: an alert that never comes because the watcher is dead looks like
// health.
type Heartbeat struct {
	// URL gives the address to ask with GET, a secret, before each beat.
	URL    func() (string, error)
	Client *http.Client
	Every  time.Duration
	// Alive tells whether a report was made lately: without one there is no beat.
	Alive func() bool
	Log   *slog.Logger

	tally tally
}

// Delivery returns how it does: the last beat that arrived is LastSent.
func (h *Heartbeat) Delivery() Delivery { return h.tally.of("", "heartbeat") }

// Run beats until ctx ends, the first time after one interval: a program that dies again
// and again at its start is not alive.
func (h *Heartbeat) Run(ctx context.Context) {
	ticker := time.NewTicker(h.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !h.Alive() {
			h.tally.failed("", false)
			h.Log.Error("no heartbeat: there was no report for too long")
			continue
		}
		if err := h.once(ctx); err != nil {
			h.tally.failed("", false)
			h.Log.Warn("the heartbeat did not arrive", "err", err)
			continue
		}
		h.tally.sent("")
	}
}

func (h *Heartbeat) once(ctx context.Context) error {
	address := secret{read: h.URL}
	target, err := address.url("heartbeat")
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return withoutURL(err)
	}
	resp, err := h.Client.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return nil
}
