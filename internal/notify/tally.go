package notify

import (
	"sync"
	"time"
)

// tally counts deliveries by what they go to. The zero tally is empty. It is safe for
// concurrent use.
type tally struct {
	mu  sync.Mutex
	all map[string]Delivery
}

func (t *tally) change(name string, change func(*Delivery)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]Delivery{}
	}
	d := t.all[name]
	change(&d)
	t.all[name] = d
}

func (t *tally) sent(name string) {
	t.change(name, func(d *Delivery) {
		d.Sent++
		d.Dead, d.LastSent = false, time.Now()
	})
}

func (t *tally) failed(name string, dead bool) {
	t.change(name, func(d *Delivery) {
		d.Failed++
		d.Dead = dead
	})
}

// of returns what is counted for a name, as that of a sink.
func (t *tally) of(name, sink string) Delivery {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.all[name]
	d.Sink = sink
	return d
}
