package probe

import (
	"fmt"
	"net/http"
	"time"

	"driftprobe/finding"
)

// dateOf reads the server's clock (RFC 9110 section 6.6.1), to a second; zero if it
// shows none.
func dateOf(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// maxSkew is how far two clocks may be apart before somebody is told.
const maxSkew = 5 * time.Minute

// offset is how far the clock of the server is ahead of ours.
func (o Observation) offset() (time.Duration, bool) {
	if o.HTTP == nil || o.HTTP.Date.IsZero() {
		return 0, false
	}
	return o.HTTP.Date.Sub(o.At), true
}

// clocks says whether a wrong clock may be behind a certificate that is not valid
// now, and whose; "" if the server's clock and ours agree, or it shows none.
//
// Dates lie in certificates, and clients go by their own clocks: the server's tells
// nothing but that one of the two is wrong. The other machines of the target are
// witnesses. Without any, a certificate that begins in our future speaks against
// us: authorities do not sign ahead.
func (j *judge) clocks() string {
	off, ok := j.seen.offset()
	if !ok || off.Abs() <= maxSkew {
		return ""
	}
	with, against := j.witnesses(off)
	way := "ahead of"
	if off < 0 {
		way = "behind"
	}
	text := fmt.Sprintf("the server's clock is %s %s ours", finding.Span(off.Abs()), way)
	begun := !j.now.Before(j.seen.TLS.Trust.NotBefore)
	switch {
	case against > with:
		return text + ": the server's is likelier wrong, as " + finding.Count(against, "other address agrees", "other addresses agree") + " with ours; set it right"
	case with > against:
		return text + ": ours is likelier wrong, as " + finding.Count(with, "other address agrees", "other addresses agree") + " with the server; check this machine's first (timedatectl)"
	case !begun && off > 0:
		return text + ": ours is likelier wrong, because authorities do not sign for the future; check this machine's first (timedatectl)"
	case off < 0:
		return text + ": if the server's is wrong, it does not see that a renewal is due; if ours is, nothing is amiss (timedatectl)"
	}
	return text + ": check both (timedatectl)"
}

// witnesses counts the other machines whose clocks agree with this server's, and
// those that agree with ours. A machine has often an address of each family, and does
// not vouch for itself: of those that agree there are certainly as many machines as one
// family has addresses, this server's among them.
func (j *judge) witnesses(off time.Duration) (with, against int) {
	var agree, differ [2]int // IPv4, IPv6
	for _, o := range j.all {
		theirs, ok := o.offset()
		family := 0
		if o.Address.Addr().Unmap().Is6() {
			family = 1
		}
		switch {
		case !ok:
		case theirs.Abs() <= maxSkew:
			differ[family]++
		case (theirs - off).Abs() <= maxSkew:
			agree[family]++
		}
	}
	return max(agree[0], agree[1]) - 1, max(differ[0], differ[1])
}
