package dnscheck

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// zoneNames bounds the text and the addresses that are kept of one look at a zone, in
// bytes; what is told twice is kept once. Thirteen servers with names of common length,
// all of which name all of them, take 2 KiB. Names of a thousand characters, other ones
// on each server, would take a megabyte, and thousands of zones are kept.
const zoneNames = 32 << 10

// What a text takes beside its characters, and an address, in memory.
const (
	textHeader = 16
	addrBytes  = 24
)

// bound keeps what is told twice once, and of too much first the servers' own lists,
// then what is known of names, then what the parent said, and servers only as far as
// there is room. Of a list that is kept in part, all would be missing elsewhere.
func (o *ZoneObservation) bound() {
	for _, less := range []func(){
		func() {
			for i := range o.Servers {
				o.Servers[i].NSOutcome, o.Servers[i].NSDetail, o.Servers[i].NS = "", "", nil
			}
		},
		func() { o.Names = nil },
		func() { o.Handed = nil },
		func() {
			for len(o.Servers) > 0 && o.share() > zoneNames {
				o.Servers = o.Servers[:len(o.Servers)-1]
			}
			o.Servers = slices.Clone(o.Servers)
		},
	} {
		if o.share() <= zoneNames {
			return
		}
		less()
		o.Cut = cmp.Or(o.Cut, fmt.Sprintf("more than %d KiB of names were told of it", zoneNames>>10))
	}
}

// share lets what is equal share its memory, and returns how many bytes are left.
func (o *ZoneObservation) share() (bytes int) {
	texts := map[string]string{}
	one := func(all ...*string) {
		for _, s := range all {
			if known, ok := texts[*s]; ok {
				*s = known
				continue
			}
			texts[*s] = *s
			bytes += len(*s)
		}
	}
	var lists [][]string
	list := func(names *[]string) {
		if i := slices.IndexFunc(lists, func(l []string) bool { return slices.Equal(l, *names) }); i >= 0 {
			*names = lists[i]
			return
		}
		for i := range *names {
			one(&(*names)[i])
		}
		lists = append(lists, *names)
		bytes += len(*names) * textHeader
	}
	addresses := func(all []netip.Addr) { bytes += len(all) * addrBytes }
	for i := range o.Handed {
		h := &o.Handed[i]
		one(&h.Server.Name, &h.Detail)
		list(&h.NS)
		for j := range h.Glue {
			one(&h.Glue[j].Name)
			addresses(h.Glue[j].Addresses)
		}
	}
	for i := range o.Servers {
		s := &o.Servers[i]
		one(&s.Server.Name, &s.Detail, &s.Primary, &s.NSDetail, &s.EDNSDetail, &s.TCPDetail)
		list(&s.NS)
	}
	for i := range o.Names {
		n := &o.Names[i]
		one(&n.Name, &n.Missing, &n.Alias)
		for j := range n.Own {
			a := &n.Own[j]
			one(&a.Server.Name, &a.Target, &a.Primary, &a.DNAME, &a.Detail)
			addresses(a.Addresses)
		}
	}
	return bytes
}
