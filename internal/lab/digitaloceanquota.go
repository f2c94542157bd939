package lab

import (
	"net/http"
	"strconv"
	"time"
)

// doHourly is how many requests a token has in an hour.
// https://docs.digitalocean.com/reference/api/reference/ (rate limit)
const doHourly = 5000

// doQuota is what a token may ask: a number of requests in an hour, and in a minute.
type doQuota struct {
	limit, left int
	reset       time.Time // when left is limit again; zero: an hour from now
	burst       int       // in a minute; 0: no limit
	minute      time.Time // when the minute began
	spent       int       // of burst
}

// take spends one request and writes the headers; false means 429. Only the burst's
// names when to come back (retry-after), the hour's has ratelimit-reset.
func (q *doQuota) take(h http.Header, now time.Time) bool {
	reset := now.Add(time.Hour)
	if !q.reset.IsZero() {
		if !now.Before(q.reset) {
			q.left, q.reset = q.limit, time.Time{}
		} else {
			reset = q.reset
		}
	}
	if now.Sub(q.minute) >= time.Minute {
		q.minute, q.spent = now, 0
	}
	early := q.burst > 0 && q.spent >= q.burst
	ok := q.left > 0 && !early
	if ok {
		q.left--
		q.spent++
	}
	h.Set("ratelimit-limit", strconv.Itoa(q.limit))
	h.Set("ratelimit-remaining", strconv.Itoa(q.left))
	h.Set("ratelimit-reset", strconv.FormatInt(reset.Unix(), 10))
	if early {
		wait := q.minute.Add(time.Minute).Sub(now)
		h.Set("retry-after", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return ok
}
