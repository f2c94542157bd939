package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Files are the zone files of one server: text by origin, which has no final dot
// ("." is the root). The text has absolute names, or an $ORIGIN of its own.
type Files map[string]string

// Farm runs servers of one software for one tree after another. Those whose files
// stay the same, mostly the upper ones, run on from tree to tree.
type Farm struct {
	Net      Net
	software Software
	dir      string
	owner    testing.TB
	started  int
	running  map[string]*Process // by addresses and files
}

// NewFarm has a network of its own and no servers. What runs ends with the test.
func NewFarm(t testing.TB, s Software) *Farm {
	t.Helper()
	f := &Farm{Net: Claim(t), software: s, dir: shortDir(t), owner: t, running: map[string]*Process{}}
	t.Cleanup(func() { f.keep(t, nil) })
	return f
}

// Serve runs one server for all the addresses that have the same files, and ends
// the others. It returns when every server gives the SOA record of each of its
// zones. A zone named in refused must not be served: the software is known to take
// exception to its file.
func (f *Farm) Serve(t testing.TB, at map[netip.Addr]Files, refused ...string) {
	t.Helper()
	same := map[string][]netip.Addr{}
	for _, addr := range slices.SortedFunc(maps.Keys(at), netip.Addr.Compare) {
		text := at[addr].text()
		same[text] = append(same[text], addr)
	}
	wanted := map[string][]netip.Addr{}
	for text, addrs := range same {
		wanted[fmt.Sprint(addrs)+text] = addrs
	}
	f.keep(t, wanted)
	for key, addrs := range wanted {
		if f.running[key] == nil {
			f.running[key] = f.start(t, addrs, at[addrs[0]])
		}
	}
	t.Cleanup(func() {
		for _, p := range f.running {
			if t.Failed() {
				t.Logf("%s wrote:\n%s", p.name, p.tail())
			}
		}
	})
	for key, addrs := range wanted {
		f.running[key].ready(t, func(ctx context.Context) error { return loaded(ctx, addrs[0], at[addrs[0]], refused) })
	}
}

// keep ends the servers that are not wanted any more.
func (f *Farm) keep(t testing.TB, wanted map[string][]netip.Addr) {
	t.Helper()
	for key, p := range f.running {
		if wanted[key] == nil {
			p.Stop(t)
			delete(f.running, key)
		}
	}
}

func (f *Farm) start(t testing.TB, addrs []netip.Addr, files Files) *Process {
	t.Helper()
	f.started++
	name := fmt.Sprintf("%s-%d", f.software.Name, f.started)
	s := site{dir: makeDir(t, filepath.Join(f.dir, name)), addrs: addrs, zones: slices.Sorted(maps.Keys(files))}
	for origin, text := range files {
		writeFile(t, filepath.Join(s.dir, fileName(origin)), text)
	}
	// Its configuration can add addresses to this system, which stay for the next tree.
	p := newProcess(s.dir, name, nil, f.software.configure(f.owner, s)...)
	p.Start(t)
	return p
}

func (f Files) text() string {
	var b strings.Builder
	for _, origin := range slices.Sorted(maps.Keys(f)) {
		b.WriteString("; " + origin + "\n" + f[origin])
	}
	return b.String()
}

// loaded returns an error as long as the server does not serve its zones, or while
// it serves one that it should refuse.
func loaded(ctx context.Context, server netip.Addr, files Files, refused []string) error {
	for origin := range files {
		_, err := Serial(ctx, server, origin)
		switch {
		case !slices.Contains(refused, origin):
			if err != nil {
				return err
			}
		case err == nil:
			return fmt.Errorf("%s serves %s, which it should refuse", server, origin)
		case !errors.Is(err, errRcode) && !errors.Is(err, errNoSOA):
			return err
		}
	}
	return nil
}
