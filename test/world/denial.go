package world

// SetNegativeTTL makes the servers of a zone give that SOA TTL and minimum, in
// seconds, from their next Serve on: for that long caches keep a denial.
func SetNegativeTTL(servers []*Authority, seconds int) {
	for _, a := range servers {
		a.zone.NegativeTTL = seconds
	}
}
