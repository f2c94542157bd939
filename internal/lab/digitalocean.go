package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// LoadBalancer has the fields of the API's load balancer object that matter to a
// reader, under the API's names (docs.digitalocean.com, Load Balancers).
type LoadBalancer struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	IP           string    `json:"ip"` // empty while Status is "new"
	IPv6         string    `json:"ipv6,omitempty"`
	SizeUnit     int       `json:"size_unit,omitempty"`
	Status       string    `json:"status"`        // new, active, errored
	Type         string    `json:"type"`          // REGIONAL, REGIONAL_NETWORK, GLOBAL
	Network      string    `json:"network"`       // EXTERNAL, INTERNAL
	NetworkStack string    `json:"network_stack"` // IPV4, DUALSTACK
	Tags         []string  `json:"tags"`
	Region       *DORegion `json:"region,omitempty"`
	Created      time.Time `json:"created_at"`

	EnableProxyProtocol bool `json:"enable_proxy_protocol"`
}

// DORegion names a region.
type DORegion struct {
	Slug string `json:"slug"`
	Name string `json:"name,omitempty"`
}

// DomainRecord has the API's names. Name is relative to the zone, "@" at its apex.
type DomainRecord struct {
	ID   int    `json:"id"`
	Type string `json:"type"`
	Name string `json:"name"`
	Data string `json:"data"`
	TTL  int    `json:"ttl"`
}

// DigitalOcean answers for load balancers and domain records as the API does.
// It creates balancers as the real one: first "new" and without an address, then
// "active" with the next address of the pool (SetPool).
type DigitalOcean struct {
	HTTPPart

	token string

	state   sync.Mutex
	lbs     []LoadBalancer
	made    int
	pool    []netip.Addr
	given   map[netip.Addr]bool // addresses that came from the pool
	delay   time.Duration
	records map[string][]DomainRecord
	denied  map[string]bool // path prefixes the token has no scope for
	quota   doQuota

	// onLB and onRecord tell the World; they are called without the lock.
	onLB     func(lb LoadBalancer, gone bool)
	onRecord func(zone string, rec DomainRecord)
}

// NewDigitalOcean starts the API on a loopback address.
func NewDigitalOcean(token string) (*DigitalOcean, error) {
	d := &DigitalOcean{token: token, records: map[string][]DomainRecord{}, denied: map[string]bool{}, given: map[netip.Addr]bool{}, quota: doQuota{limit: doHourly, left: doHourly}}
	d.handler = d.routes()
	if err := d.startAt(aside()); err != nil {
		return nil, err
	}
	return d, nil
}

// URL is the API's base, without the version.
func (d *DigitalOcean) URL() string { return "http://" + d.addr.String() }

// Token is the one token accepted.
func (d *DigitalOcean) Token() string {
	d.state.Lock()
	defer d.state.Unlock()
	return d.token
}

// SetToken makes another token the one accepted.
func (d *DigitalOcean) SetToken(token string) {
	d.state.Lock()
	defer d.state.Unlock()
	d.token = token
}

// SetScope says whether the token may use paths under prefix, for instance
// "/v2/domains"; without the scope they answer 403.
func (d *DigitalOcean) SetScope(prefix string, allowed bool) {
	d.state.Lock()
	defer d.state.Unlock()
	d.denied[prefix] = !allowed
}

// SetQuota sets how many requests are left of the hour's limit; at 0 all answer
// 429, until the hour is over. The default is 5,000 and an hour from each request.
func (d *DigitalOcean) SetQuota(left int) {
	d.state.Lock()
	defer d.state.Unlock()
	d.quota.left, d.quota.reset = left, time.Time{}
}

// SetReset sets when the hour is over: from then on the whole limit is left again.
func (d *DigitalOcean) SetReset(at time.Time) {
	d.state.Lock()
	defer d.state.Unlock()
	d.quota.reset = at
}

// SetBurst sets how many requests a minute may have; at DigitalOcean 250. The default
// is no limit, because tests ask more often than anybody else.
func (d *DigitalOcean) SetBurst(perMinute int) {
	d.state.Lock()
	defer d.state.Unlock()
	d.quota.burst, d.quota.minute, d.quota.spent = perMinute, time.Time{}, 0
}

// SetPool sets the addresses that new balancers get, in turn, and how long after
// their creation. With a zero delay the creation still answers "new", and the
// next request sees the address. Addresses of deleted balancers are given again
// when all others are used.
func (d *DigitalOcean) SetPool(delay time.Duration, addrs ...netip.Addr) {
	d.state.Lock()
	defer d.state.Unlock()
	d.delay, d.pool = delay, slices.Clone(addrs)
}

// LoadBalancers returns a copy of all, in the order of creation.
func (d *DigitalOcean) LoadBalancers() []LoadBalancer {
	d.provision()
	d.state.Lock()
	defer d.state.Unlock()
	return slices.Clone(d.lbs)
}

// PutLoadBalancer adds a balancer, or replaces the one of the same id. Empty
// Status, Type, Network and NetworkStack get the API's usual values.
func (d *DigitalOcean) PutLoadBalancer(lb LoadBalancer) {
	setDefault(&lb.Status, "active")
	setDefault(&lb.Type, "REGIONAL_NETWORK")
	setDefault(&lb.Network, "EXTERNAL")
	setDefault(&lb.NetworkStack, "IPV4")
	if lb.Region == nil {
		lb.Region = &DORegion{Slug: "fra1", Name: "Frankfurt 1"}
	}
	if lb.Tags == nil {
		lb.Tags = []string{}
	}
	if lb.Created.IsZero() {
		lb.Created = time.Now().UTC().Truncate(time.Second)
	}
	d.state.Lock()
	if i := d.indexOf(lb.ID); i >= 0 {
		d.lbs[i] = lb
	} else {
		d.lbs = append(d.lbs, lb)
	}
	d.state.Unlock()
	d.tell(lb, false)
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// RemoveLoadBalancer deletes a balancer as from the console; false if there is none.
func (d *DigitalOcean) RemoveLoadBalancer(id string) bool {
	d.state.Lock()
	i := d.indexOf(id)
	if i < 0 {
		d.state.Unlock()
		return false
	}
	lb := d.lbs[i]
	if addr, err := netip.ParseAddr(lb.IP); err == nil && d.given[addr] {
		d.pool = append(d.pool, addr) // to be given to a stranger, when its turn comes
	}
	d.lbs = slices.Delete(slices.Clone(d.lbs), i, i+1)
	d.state.Unlock()
	d.tell(lb, true)
	return true
}

// indexOf needs the lock.
func (d *DigitalOcean) indexOf(id string) int {
	return slices.IndexFunc(d.lbs, func(lb LoadBalancer) bool { return lb.ID == id })
}

func (d *DigitalOcean) tell(lb LoadBalancer, gone bool) {
	d.state.Lock()
	f := d.onLB
	d.state.Unlock()
	if f != nil {
		f(lb, gone)
	}
}

// create makes a balancer that has no address yet.
func (d *DigitalOcean) create(lb LoadBalancer) LoadBalancer {
	d.state.Lock()
	d.made++
	lb.ID = fmt.Sprintf("4f0c%04x-0000-4000-8000-%012x", d.made, d.made)
	d.state.Unlock()
	lb.IP, lb.IPv6, lb.Status, lb.Created = "", "", "new", time.Time{}
	d.PutLoadBalancer(lb)
	return lb
}

// provision gives addresses to new balancers whose delay is over. It runs before
// each request, so that there is no timer to wait for.
func (d *DigitalOcean) provision() {
	d.state.Lock()
	var ready []LoadBalancer
	for i := range d.lbs {
		lb := &d.lbs[i]
		if lb.Status != "new" || len(d.pool) == 0 || time.Since(lb.Created) < d.delay {
			continue
		}
		lb.IP, lb.Status = d.pool[0].String(), "active"
		d.given[d.pool[0]] = true
		d.pool = d.pool[1:]
		ready = append(ready, *lb)
	}
	d.state.Unlock()
	for _, lb := range ready {
		d.tell(lb, false)
	}
}

// SetRecords replaces a zone's records; records without an id get one. A zone
// never set answers 404.
func (d *DigitalOcean) SetRecords(zone string, records ...DomainRecord) {
	d.state.Lock()
	defer d.state.Unlock()
	records = slices.Clone(records)
	for i := range records {
		if records[i].ID == 0 {
			records[i].ID = 21 + i
		}
	}
	d.records[strings.TrimSuffix(zone, ".")] = records
}

// Records returns a copy of a zone's records.
func (d *DigitalOcean) Records(zone string) []DomainRecord {
	d.state.Lock()
	defer d.state.Unlock()
	return slices.Clone(d.records[strings.TrimSuffix(zone, ".")])
}

// updateRecord changes the fields given of one record.
func (d *DigitalOcean) updateRecord(zone string, id int, change DomainRecord) (DomainRecord, bool) {
	d.state.Lock()
	i := slices.IndexFunc(d.records[zone], func(r DomainRecord) bool { return r.ID == id })
	if i < 0 {
		d.state.Unlock()
		return DomainRecord{}, false
	}
	rec := &d.records[zone][i]
	if change.Data != "" {
		rec.Data = change.Data
	}
	if change.TTL != 0 {
		rec.TTL = change.TTL
	}
	if change.Name != "" {
		rec.Name = change.Name
	}
	updated, f := *rec, d.onRecord
	d.state.Unlock()
	if f != nil {
		f(zone, updated)
	}
	return updated, true
}
