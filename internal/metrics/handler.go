package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler serves a new Registry in the exposition formats. A slow scraper holds
// nobody up: at most three scrapes run at the same time, each for at most 10 s.
func (c *Collector) Handler() http.Handler {
	return promhttp.HandlerFor(c.Registry(), promhttp.HandlerOpts{MaxRequestsInFlight: 3, Timeout: 10 * time.Second})
}
